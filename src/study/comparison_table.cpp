#include "masksc/study/comparison_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "masksc/core/text.hpp"
#include "table_text.hpp"

namespace masksc {
namespace {

struct ShownColumn {
  const char* key;
  const char* title;
  int digits;
  bool deviation;
};

bool has_number(const Json& row, const char* key) { return row.contains(key) && row.at(key).is_number(); }

/// Those in which some method has a number. With the number of clusters given, the silhouettes of the estimated one are
/// left to the other files.
std::vector<ShownColumn> shown_columns(const Json& rows) {
  std::vector<ShownColumn> columns = {{"ari", "ARI", 3, true},
                                      {"nmi", "NMI", 3, true},
                                      {"accuracy", "accuracy", 3, true},
                                      {"silhouette", "silhouette", 3, true},
                                      {"silhouette_pca", "silhouette (PCA)", 3, true},
                                      {"clusters", "clusters", 1, false},
                                      {"ari_auto", "ARI auto", 3, true},
                                      {"nmi_auto", "NMI auto", 3, true},
                                      {"silhouette_auto", "silhouette auto", 3, true},
                                      {"silhouette_pca_auto", "silhouette (PCA) auto", 3, true},
                                      {"clusters_auto", "clusters auto", 1, false},
                                      {"seeds", "seeds", 0, false},
                                      {"seconds", "seconds", 1, false},
                                      {"peak_memory_bytes", "peak memory", 0, false}};
  const auto any = [&](const std::string& key) {
    return std::any_of(rows.begin(), rows.end(), [&](const Json& row) { return has_number(row, key.c_str()); });
  };
  const bool given = any("silhouette");
  const bool equally_often = std::all_of(rows.begin(), rows.end(),
                                         [&](const Json& row) { return row.at("seeds") == rows.front().at("seeds"); });
  std::erase_if(columns, [&](const ShownColumn& column) {
    const std::string key = column.key;
    return !any(key) || (key == "seeds" && equally_often) ||
           (given && key.starts_with("silhouette") && key.ends_with("_auto"));
  });
  return columns;
}

/// A cell of a Markdown table.
std::string cell(const Json& row, const ShownColumn& column) {
  if (!has_number(row, column.key)) return "–";
  const double value = row.at(column.key).get<double>();
  if (std::string_view(column.key) == "peak_memory_bytes") return format_bytes(value);
  const std::string mean = fmt::format("{:.{}f}", value, column.digits);
  if (!column.deviation) return mean;
  const Json& deviation = row.at(std::string(column.key) + "_sd");
  if (!deviation.is_number()) return mean;
  return fmt::format("{} ± {:.{}f}", mean, deviation.get<double>(), column.digits);
}

/// What mask-sc's results have beside numbers.
constexpr std::array<const char*, 2> text_columns = {"clusters_in", "clusters_in_auto"};

/// The texts that a method's results have, in the order of seeds: "features and components". Null without any.
Json texts_of_method(const std::string& method, const std::string& column, const std::vector<ComparedPoint>& points) {
  std::vector<std::string> texts;
  for (const ComparedPoint& point : points) {
    if (point.method != method || !point.result.is_object() || !point.result.contains(column)) continue;
    const std::string text = point.result.at(column).get<std::string>();
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return texts.empty() ? Json(nullptr) : Json(fmt::format("{}", fmt::join(texts, " and ")));
}

std::string escaped(const Json& text) { return markdown_cell(printable(text.get<std::string>())); }

}  // namespace

const std::vector<std::string>& comparison_columns() {
  static const std::vector<std::string> columns = {"ari",
                                                   "nmi",
                                                   "silhouette",
                                                   "silhouette_pca",
                                                   "accuracy",
                                                   "clusters",
                                                   "ari_auto",
                                                   "nmi_auto",
                                                   "accuracy_auto",
                                                   "silhouette_auto",
                                                   "silhouette_pca_auto",
                                                   "clusters_auto",
                                                   "seconds",
                                                   "peak_memory_bytes"};
  return columns;
}

Json comparison_rows(const std::vector<std::string>& methods, const std::vector<ComparedPoint>& points) {
  Json rows = Json::array();
  for (const std::string& method : methods) {
    Json row = {{"method", method}};
    std::int64_t done = 0;
    std::string message;
    for (const ComparedPoint& point : points) {
      if (point.method != method) continue;
      if (!point.result.is_null()) ++done;
      if (message.empty() && !point.failure.empty()) message = fmt::format("seed {}: {}", point.seed, point.failure);
    }
    row["seeds"] = done;
    row["status"] = message.empty() ? "done" : done > 0 ? "partly failed" : "failed";
    row["message"] = message;
    for (const std::string& column : comparison_columns()) {
      std::vector<double> values;
      for (const ComparedPoint& point : points)
        if (point.method == method && point.result.is_object() && point.result.contains(column) &&
            point.result.at(column).is_number())
          values.push_back(point.result.at(column).get<double>());
      const auto found = mean_and_deviation(values);
      row[column] = found ? Json(found->mean) : Json(nullptr);
      row[column + "_sd"] = found && found->deviation ? Json(*found->deviation) : Json(nullptr);
    }
    for (const char* column : text_columns) row[column] = texts_of_method(method, column, points);
    rows.push_back(row);
  }
  return rows;
}

std::string comparison_note(const std::vector<ComparedPoint>& points) {
  struct Runs {
    std::int64_t all = 0;
    std::int64_t in_components = 0;
  };
  std::map<std::string, Runs> methods;
  for (const ComparedPoint& point : points) {
    if (!point.result.is_object()) continue;
    Runs& runs = methods[point.method];
    ++runs.all;
    if (std::any_of(text_columns.begin(), text_columns.end(),
                    [&](const char* column) { return point.result.value(column, "") == "components"; }))
      ++runs.in_components;
  }
  std::string note;
  for (const auto& [method, runs] : methods) {
    const std::string of_method = components_note(runs.in_components, runs.all, fmt::format(" of {}", method));
    note += fmt::format("{}{}", note.empty() || of_method.empty() ? "" : " ", of_method);
  }
  return note;
}

std::string comparison_csv(const Json& rows) {
  std::vector<std::string> fields = {"method"};
  fields.insert(fields.end(), comparison_columns().begin(), comparison_columns().end());
  for (const std::string& column : comparison_columns()) fields.push_back(fmt::format("{}_sd", column));
  fields.insert(fields.end(), text_columns.begin(), text_columns.end());
  fields.insert(fields.end(), {"seeds", "status", "message"});
  std::string text = fmt::format("{}\n", fmt::join(fields, ","));
  for (const Json& row : rows) {
    std::vector<std::string> values;
    for (const std::string& name : fields) values.push_back(csv_field(row.at(name)));
    text += fmt::format("{}\n", fmt::join(values, ","));
  }
  return text;
}

std::string comparison_markdown(const Json& comparison) {
  const bool labels = !comparison.at("labels").is_null();
  std::string text = fmt::format("# {} cells of `{}`, {} preparation\n\n", comparison.at("cells").get<std::int64_t>(),
                                 escaped(comparison.at("input")), comparison.at("preparation").get<std::string>());
  if (labels)
    text += fmt::format("Compared with the labels `{}` ({} categories). ", escaped(comparison.at("labels")),
                        comparison.at("categories").get<std::int64_t>());
  text +=
      "Mean ± sd over seeds. Silhouettes in the space that the method clusters in, and in that of 50 principal "
      "components, which is the same for all; \"auto\": with the number of clusters estimated.\n\n";
  const std::vector<ShownColumn> columns = shown_columns(comparison.at("methods"));
  std::string rule = "|---|";
  text += "| method |";
  for (const ShownColumn& column : columns) {
    text += fmt::format(" {} |", column.title);
    rule += "---|";
  }
  text += fmt::format("\n{}\n", rule);
  std::string failures;
  for (const Json& row : comparison.at("methods")) {
    text += fmt::format("| `{}` |", row.at("method").get<std::string>());
    for (const ShownColumn& column : columns) text += fmt::format(" {} |", cell(row, column));
    text += "\n";
    if (!row.at("message").get<std::string>().empty())
      failures += fmt::format("- `{}` {}: {}\n", row.at("method").get<std::string>(),
                              row.at("status").get<std::string>(), escaped(row.at("message")));
  }
  if (const std::string note = comparison.value("note", ""); !note.empty()) text += fmt::format("\n{}\n", note);
  if (!failures.empty()) text += "\n" + failures;
  const int ranks = comparison.at("ranks").get<int>();
  text += fmt::format("\nseeds {}; {} {}; mask-sc {}\n\n",
                      fmt::join(comparison.at("seeds").get<std::vector<std::int64_t>>(), ", "), ranks,
                      ranks == 1 ? "rank" : "ranks", comparison.at("version").get<std::string>());
  for (const Json& command : comparison.at("commands")) text += fmt::format("    {}\n", command.get<std::string>());
  return text;
}

}  // namespace masksc
