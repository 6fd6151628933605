#include "masksc/study/sweep_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "table_text.hpp"

namespace masksc {
namespace {

constexpr const char* ranks_option = "ranks-per-point";

/// Numbers of a point, in the order of tables.
constexpr std::array<const char*, 10> numbers = {"ari",      "nmi",       "silhouette",       "silhouette_pca",
                                                 "clusters", "seconds",   "cells_per_second", "peak_memory_bytes",
                                                 "loss",     "efficiency"};

/// What a point's run decided by itself: beside its numbers, what tells why points score alike.
constexpr std::array<const char*, 3> decisions = {"clusters_in", "guided_by", "standardize"};

Json number_of(const Json& metrics, const char* key) {
  if (!metrics.contains(key)) return nullptr;
  const Json& value = metrics.at(key);
  if (value.is_number()) return value;
  if (value.is_object() && value.contains("total")) return value.at("total");                    // seconds by stage
  if (value.is_array() && !value.empty()) return *std::max_element(value.begin(), value.end());  // bytes by rank
  return nullptr;
}

Json point_json(const Sweep& sweep, const SweepPoint& point, const PointOutcome& outcome) {
  static const std::map<PointStatus, std::string> names = {
      {PointStatus::missing, "missing"}, {PointStatus::done, "done"}, {PointStatus::failed, "failed"}};
  Json row = {{"name", point.design.name},     {"values", values_of(sweep, point.design)},
              {"varied", point.design.varied}, {"seed", point.design.seed},
              {"ranks", point.ranks},          {"status", names.at(outcome.status)}};
  if (outcome.status == PointStatus::failed) row["error"] = outcome.failure.message;
  for (const char* key : numbers) row[key] = number_of(outcome.result, key);
  for (const char* key : decisions) row[key] = outcome.result.is_object() ? outcome.result.value(key, Json()) : Json();
  return row;
}

/// Adds the efficiency of the points that are done, where ranks are swept.
void add_efficiency(Json& points) {
  const auto rest = [](const Json& point) {  // all that must agree
    Json values = point.at("values");
    values.erase(ranks_option);
    return values.dump() + point.at("seed").dump();
  };
  std::map<std::string, const Json*> fewest;
  const auto counts = [](const Json& point) {
    return point.at("status") == "done" && point.at("values").contains(ranks_option) &&
           point.at("cells_per_second").is_number();
  };
  for (const Json& point : points) {
    if (!counts(point)) continue;
    const Json*& least = fewest[rest(point)];
    if (least == nullptr || point.at("ranks").get<int>() < least->at("ranks").get<int>()) least = &point;
  }
  const auto of_a_rank = [](const Json& point) {
    return point.at("cells_per_second").get<double>() / point.at("ranks").get<double>();
  };
  for (Json& point : points) {
    if (!counts(point)) continue;
    const double alone = of_a_rank(*fewest.at(rest(point)));
    if (alone > 0) point["efficiency"] = of_a_rank(point) / alone;
  }
}

Json mean_and_sd(const std::vector<double>& values) {
  const auto found = mean_and_deviation(values);
  if (!found) return {{"mean", nullptr}, {"sd", nullptr}};
  return {{"mean", found->mean}, {"sd", found->deviation ? Json(*found->deviation) : Json(nullptr)}};
}

Json summary_of(const Json& points) {
  std::vector<std::pair<Json, std::vector<const Json*>>> combinations;  // points of one combination follow each other
  for (const Json& point : points) {
    if (combinations.empty() || combinations.back().first != point.at("values"))
      combinations.emplace_back(point.at("values"), std::vector<const Json*>());
    combinations.back().second.push_back(&point);
  }
  Json rows = Json::array();
  for (const auto& [values, members] : combinations) {
    Json row = {{"values", values}, {"varied", members.front()->at("varied")}};
    for (const char* status : {"done", "failed", "missing"})
      row[status] = std::count_if(members.begin(), members.end(),
                                  [&](const Json* point) { return point->at("status") == status; });
    for (const char* key : numbers) {
      std::vector<double> found;
      for (const Json* point : members)
        if (point->at("status") == "done" && point->at(key).is_number()) found.push_back(point->at(key).get<double>());
      row[key] = mean_and_sd(found);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// "0.785 ± 0.004" by `format` of one number; "–" without any.
std::string plus_minus(const Json& number, std::string (*format)(double)) {
  if (number.at("mean").is_null()) return "–";
  const std::string mean = format(number.at("mean").get<double>());
  return number.at("sd").is_null() ? mean : fmt::format("{} ± {}", mean, format(number.at("sd").get<double>()));
}

std::string score(double value) { return fmt::format("{:.3f}", value); }
std::string whole(double value) { return fmt::format("{:.0f}", value); }
std::string tenth(double value) { return fmt::format("{:.1f}", value); }
std::string mebibytes(double bytes) { return whole(bytes / (1 << 20)); }

struct ShownNumber {
  const char* key;
  const char* title;
  std::string (*format)(double);
};

/// Those that some row has.
std::vector<ShownNumber> shown_numbers(const Json& rows) {
  std::vector<ShownNumber> shown = {{"ari", "ARI", score},
                                    {"nmi", "NMI", score},
                                    {"silhouette", "silhouette", score},
                                    {"silhouette_pca", "silhouette (PCA)", score},
                                    {"clusters", "clusters", tenth},
                                    {"seconds", "seconds", whole},
                                    {"cells_per_second", "cells/s", whole},
                                    {"peak_memory_bytes", "peak memory, MiB", mebibytes},
                                    {"efficiency", "efficiency", score}};
  std::erase_if(shown, [&](const ShownNumber& number) {
    return std::all_of(rows.begin(), rows.end(),
                       [&](const Json& row) { return row.at(number.key).at("mean").is_null(); });
  });
  return shown;
}

std::string note_of(const Json& points) {
  const auto done = std::count_if(points.begin(), points.end(), [](const Json& p) { return p.at("status") == "done"; });
  const auto in_components = std::count_if(points.begin(), points.end(),
                                           [](const Json& point) { return point.at("clusters_in") == "components"; });
  return components_note(in_components, done);
}

}  // namespace

Json sweep_json(const Sweep& sweep, const std::vector<PointOutcome>& outcomes) {
  Json factors = Json::array();
  for (std::size_t i = 0; i < sweep.factors.size(); ++i)
    factors.push_back({{"name", sweep.factors[i].name}, {"values", sweep.factors[i].values}, {"base", sweep.base[i]}});
  Json points = Json::array();
  for (std::size_t i = 0; i < sweep.points.size(); ++i)
    points.push_back(point_json(sweep, sweep.points[i], outcomes.at(i)));
  add_efficiency(points);
  return {{"version", version_and_commit()},
          {"design", sweep.settings.design == DesignKind::grid ? "grid" : "star"},
          {"factors", factors},
          {"seeds", sweep.settings.seeds},
          {"summary", summary_of(points)},
          {"note", note_of(points)},
          {"points", points}};
}

std::string sweep_csv(const Json& sweep) {
  std::string text = "point";
  for (const Json& factor : sweep.at("factors")) text += fmt::format(",{}", csv_field(factor.at("name")));
  text += ",seed,ranks";
  const auto is_factor = [&](const char* key) {
    const Json& factors = sweep.at("factors");
    return std::any_of(factors.begin(), factors.end(), [&](const Json& factor) { return factor.at("name") == key; });
  };
  std::vector<const char*> keys(numbers.begin(), numbers.end());
  keys.insert(keys.end(), decisions.begin(), decisions.end());
  for (const char* key : keys) text += fmt::format(",{}{}", key, is_factor(key) ? "_found" : "");
  text += ",status,error\n";
  for (const Json& point : sweep.at("points")) {
    text += csv_field(point.at("name"));
    for (const Json& factor : sweep.at("factors"))
      text += fmt::format(",{}", csv_field(point.at("values").at(factor.at("name").get<std::string>())));
    text += fmt::format(",{},{}", csv_field(point.at("seed")), csv_field(point.at("ranks")));
    for (const char* key : keys) text += fmt::format(",{}", csv_field(point.at(key)));
    text += fmt::format(",{},{}\n", csv_field(point.at("status")),
                        point.contains("error") ? csv_field(point.at("error")) : "");
  }
  return text;
}

std::string sweep_markdown(const Json& sweep) {
  std::string text;
  if (sweep.contains("input"))  // as the program writes it
    text += fmt::format(
        "{} runs on `{}`{}, by\n\n    {}\n\n", sweep.at("points").size(),
        fmt::join(texts_of(sweep.at("input")), "`, `"),
        sweep.at("labels").is_string() ? fmt::format(", labels `{}`", sweep.at("labels").get<std::string>()) : "",
        sweep.at("command").get<std::string>());
  text += "|";
  std::string rule = "\n|";
  for (const Json& factor : sweep.at("factors")) {
    text += fmt::format(" {} |", markdown_cell(factor.at("name").get<std::string>()));
    rule += "---|";
  }
  const std::vector<ShownNumber> shown = shown_numbers(sweep.at("summary"));
  text += " seeds |";
  rule += "---|";
  for (const ShownNumber& number : shown) {
    text += fmt::format(" {} |", number.title);
    rule += "---|";
  }
  text += rule + "\n";
  for (const Json& row : sweep.at("summary")) {
    text += "|";
    for (const Json& factor : sweep.at("factors")) {
      const std::string name = factor.at("name").get<std::string>();
      const std::string value = markdown_cell(row.at("values").at(name).get<std::string>());
      text += row.at("varied") == name ? fmt::format(" **{}** |", value) : fmt::format(" {} |", value);
    }
    text += fmt::format(" {} |", row.at("done").get<int>());
    for (const ShownNumber& number : shown) text += fmt::format(" {} |", plus_minus(row.at(number.key), number.format));
    text += "\n";
  }
  if (const auto note = sweep.at("note").get<std::string>(); !note.empty()) text += fmt::format("\n{}\n", note);
  std::string problems;
  for (const Json& point : sweep.at("points"))
    if (point.at("status") != "done")
      problems += fmt::format(
          "- {}: {}{}\n", point.at("name").get<std::string>(), point.at("status").get<std::string>(),
          point.contains("error") ? fmt::format(": {}", markdown_cell(point.at("error").get<std::string>())) : "");
  if (!problems.empty()) text += fmt::format("\nNot done:\n\n{}", problems);
  return text;
}

void write_sweep(const Json& sweep, const std::filesystem::path& folder) {
  write_file(folder / "sweep.json", sweep.dump(2) + "\n");
  write_file(folder / "sweep.csv", sweep_csv(sweep));
  write_file(folder / "sweep.md", sweep_markdown(sweep));
  for (const auto& [name, drawing] :
       {std::pair("sweep_heatmap.svg", sweep_heatmap(sweep)), std::pair("sweep_curves.svg", sweep_curves(sweep))}) {
    std::error_code ignored;
    if (drawing.empty())
      std::filesystem::remove(folder / name, ignored);
    else
      write_file(folder / name, drawing);
  }
}

}  // namespace masksc
