#include "masksc/run/report_stage.hpp"

#include <fmt/format.h>

#include "masksc/core/log.hpp"
#include "masksc/run/attention.hpp"

namespace masksc {
namespace {

std::optional<AttentionGrid> attention_of(const RunContent& run) {
  const std::filesystem::path folder = run.model.empty() ? run.folder / "model" : std::filesystem::path(run.model);
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "model.json", ignored)) return std::nullopt;
  try {
    const auto alone = single_rank();
    return attend(load_model(folder, at::kCPU, *alone), run);
  } catch (const UserError& e) {
    log::warning("the report has no attention: {}", e.what());
    return std::nullopt;
  }
}

}  // namespace

std::optional<CellMaps> map_stage(const ReportSettings& settings, const DenseMatrix& embedding, RowRange rows,
                                  std::int64_t cells, std::uint64_t seed, Collectives& ranks) {
  if (!settings.report || cells > most_mapped_cells) return std::nullopt;
  DenseMatrix all;
  all.rows = cells;
  all.columns = embedding.columns;
  all.values = ranks.gather_varied(std::span<const float>(embedding.values));
  ensure(rows.size() == embedding.rows, "map_stage: rows do not match");
  std::optional<CellMaps> maps;
  on_root(ranks, [&] { maps = map_cells(all, seed, at::get_num_threads()); });
  return maps;
}

void write_report(const std::filesystem::path& folder, const std::filesystem::path& page,
                  const PageSettings& settings) {
  std::error_code ignored;
  Json data;
  if (std::filesystem::exists(folder / "comparison.json", ignored) ||
      std::filesystem::exists(folder / "sweep.json", ignored)) {
    data = page_of_study(folder);
  } else {
    RunContent run = read_run(folder);
    run.attention = attention_of(run);
    data = page_of_run(run, settings);
  }
  write_page(page, data);
  log::info("report: {}", page.string());
}

bool report_or_warn(const std::filesystem::path& folder, const PageSettings& settings) {
  try {
    write_report(folder, folder / "report.html", settings);
    return true;
  } catch (const Error& e) {
    log::warning("report.html is not written: {}", e.what());
    return false;
  }
}

}  // namespace masksc
