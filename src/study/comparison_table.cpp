#include "masksc/study/comparison_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "masksc/core/text.hpp"
#include "table_text.hpp"

namespace masksc {
namespace {

/// A cell of a Markdown table.
std::string cell(const Json& row, const std::string& column, int digits, bool deviation) {
  if (!row.contains(column) || row.at(column).is_null()) return "–";
  const std::string mean = fmt::format("{:.{}f}", row.at(column).get<double>(), digits);
  if (!deviation || row.at("seeds").get<int>() < 2) return mean;
  return fmt::format("{} ± {:.{}f}", mean, row.at(column + "_sd").get<double>(), digits);
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
      row[column + "_sd"] = found ? Json(found->deviation.value_or(0)) : Json(nullptr);
    }
    rows.push_back(row);
  }
  return rows;
}

std::string comparison_csv(const Json& rows) {
  std::vector<std::string> fields = {"method"};
  fields.insert(fields.end(), comparison_columns().begin(), comparison_columns().end());
  for (const std::string& column : comparison_columns()) fields.push_back(fmt::format("{}_sd", column));
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
  text +=
      "| method | ARI | NMI | accuracy | silhouette | silhouette (PCA) | clusters | ARI auto | NMI auto "
      "| clusters auto | seconds | peak memory |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  std::string failures;
  for (const Json& row : comparison.at("methods")) {
    const Json& memory = row.at("peak_memory_bytes");
    text += fmt::format(
        "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", row.at("method").get<std::string>(),
        cell(row, "ari", 3, true), cell(row, "nmi", 3, true), cell(row, "accuracy", 3, true),
        cell(row, "silhouette", 3, true), cell(row, "silhouette_pca", 3, true), cell(row, "clusters", 1, false),
        cell(row, "ari_auto", 3, true), cell(row, "nmi_auto", 3, true), cell(row, "clusters_auto", 1, false),
        cell(row, "seconds", 1, false), memory.is_null() ? "–" : format_bytes(memory.get<double>()));
    if (!row.at("message").get<std::string>().empty())
      failures += fmt::format("- `{}` {}: {}\n", row.at("method").get<std::string>(),
                              row.at("status").get<std::string>(), escaped(row.at("message")));
  }
  if (!failures.empty()) text += "\n" + failures;
  text +=
      fmt::format("\nseeds {} to {}, {} ranks, mask-sc {}\n\n    {}\n", comparison.at("first_seed").get<std::int64_t>(),
                  comparison.at("first_seed").get<std::int64_t>() + comparison.at("seeds").get<std::int64_t>() - 1,
                  comparison.at("ranks").get<int>(), comparison.at("version").get<std::string>(),
                  comparison.at("command").get<std::string>());
  return text;
}

}  // namespace masksc
