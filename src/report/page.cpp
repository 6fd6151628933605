#include "masksc/report/page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>

#include "assets.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/version.hpp"
#include "masksc/report/markup.hpp"
#include "page_parts.hpp"

namespace masksc {
namespace {

/// JSON that may stand in a script element: no name in it can end the element. Bytes that are no UTF-8 are replaced.
std::string script_json(const Json& data) {
  const std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe.push_back(c);
  }
  return safe;
}

Json frame_of(const std::string& title, const std::string& subtitle) {
  return {{"title", title},
          {"subtitle", subtitle},
          {"footer", fmt::format("mask-sc {}; plotly.js, MIT licence", version_and_commit())}};
}

std::string folder_name(const std::filesystem::path& folder) {
  const std::filesystem::path whole = std::filesystem::weakly_canonical(folder);
  return whole.filename().empty() ? whole.string() : whole.filename().string();
}

}  // namespace

Json page_of_run(const RunContent& run, const PageSettings& settings) {
  std::string file = run.inputs.empty() ? "" : std::filesystem::path(run.inputs.front()).filename().string();
  if (run.inputs.size() > 1) file += fmt::format(" and {} more", run.inputs.size() - 1);
  const char* const program = run.model.empty() ? "masksc_train" : "masksc_embed";
  Json page = frame_of(
      fmt::format("{}: {} cells in {} clusters", folder_name(run.folder), run.all_cells, run.clusters.names.size()),
      (file.empty() ? fmt::format("a run of {}", program) : fmt::format("{}, by {}", file, program)) +
          (run.clusters_of.empty() ? "" : fmt::format("; clusters of {}, by masksc_cluster", run.clusters_of)));
  detail::add_course(page, run);
  detail::add_cells(page, run, settings);
  return page;
}

Json page_of_study(const std::filesystem::path& folder) {
  Json page;
  if (std::filesystem::exists(folder / "comparison.json")) {
    const Json whole = read_json_file(folder / "comparison.json");
    read_json(fmt::format("'{}/comparison.json'", folder.string()), [&] {
      const Json labels = whole.value("labels", Json());
      page = frame_of("Comparison: " + folder_name(folder),
                      fmt::format("{} cells of {}{}, {} preparation; by masksc_compare",
                                  whole.at("cells").get<std::int64_t>(), whole.at("input").get<std::string>(),
                                  labels.is_string() ? fmt::format(", labels {}", labels.get<std::string>()) : "",
                                  whole.at("preparation").get<std::string>()));
      page["comparison"] = whole.at("methods");
      page["comparison_note"] = whole.value("note", "");  // comparisons of older versions have none
      page["command"] = fmt::format("{}", fmt::join(texts_of(whole.value("commands", Json::array())), "\n"));
    });
  } else if (std::filesystem::exists(folder / "sweep.json")) {
    const Json sweep = read_json_file(folder / "sweep.json");
    read_json(fmt::format("'{}/sweep.json'", folder.string()), [&] {
      std::string data;  // sweeps of older versions do not say
      if (sweep.contains("input"))
        data = fmt::format(
            "{}{}; ", fmt::join(texts_of(sweep.at("input")), ", "),
            sweep.at("labels").is_string() ? fmt::format(", labels {}", sweep.at("labels").get<std::string>()) : "");
      page = frame_of("Sweep: " + folder_name(folder), data + "by masksc_sweep");
      page["command"] = sweep.value("command", "");
      page["sweep"] = sweep;
    });
  } else {
    throw UserError(
        fmt::format("'{}' holds no finished run, comparison or sweep (no metrics.json, comparison.json or "
                    "sweep.json)",
                    folder.string()));
  }
  return page;
}

bool is_page(const std::filesystem::path& path) {
  const std::string_view frame = detail::page_frame();
  const std::string_view begin = frame.substr(0, frame.find("{{"));
  std::string bytes(begin.size(), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), std::ssize(bytes));
  return bytes == begin;
}

void write_page(const std::filesystem::path& path, const Json& data) {
  const std::string_view frame = detail::page_frame();
  std::string page;
  page.reserve(frame.size() + detail::plotly_script().size() + (std::size_t{1} << 20));
  std::size_t at = 0;
  while (true) {
    const std::size_t open = frame.find("{{", at);
    page.append(frame, at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = frame.find("}}", open);
    const std::string_view name = frame.substr(open + 2, close - open - 2);
    if (name == "title") page += escape_markup(data.at("title").get<std::string>());
    if (name == "style") page += detail::page_style();
    if (name == "data") page += script_json(data);
    if (name == "plotly") page += detail::plotly_script();
    if (name == "script") page += detail::page_script();
    at = close + 2;
  }
  write_file(path, page);
}

}  // namespace masksc
