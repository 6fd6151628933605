#include "masksc/run/model_description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"

namespace masksc {
namespace {

Json json_of(const Expression& expression) {
  return {{"genes", expression.gene_names},
          {"target_total", expression.target_total},
          {"mean", expression.scaling.mean},
          {"inverse_sd", expression.scaling.inverse_sd},
          {"clip", expression.scaling.clip},
          {"counts", expression.scaling.counts},
          {"batches", expression.scaling.batches},
          {"batch_statistics", !expression.batch_of_cell.empty()},
          {"matrix", {expression.layout.rows, expression.layout.columns}},
          {"patch", {expression.layout.patch_rows, expression.layout.patch_columns}},
          {"slot_to_column", expression.layout.slot_to_column}};
}

Expression expression_of(const Json& e) {
  Expression expression;
  expression.gene_names = e.at("genes").get<std::vector<std::string>>();
  expression.target_total = e.at("target_total");
  expression.scaling = {e.at("mean").get<std::vector<float>>(), e.at("inverse_sd").get<std::vector<float>>(),
                        e.at("clip").get<float>(), e.value("batches", std::int64_t{1}), e.value("counts", false)};
  MatrixLayout& layout = expression.layout;
  layout.rows = e.at("matrix").at(0);
  layout.columns = e.at("matrix").at(1);
  layout.patch_rows = e.at("patch").at(0);
  layout.patch_columns = e.at("patch").at(1);
  layout.slot_to_column = e.at("slot_to_column").get<std::vector<std::int32_t>>();
  return expression;
}

/// Whether the numbers of a description fit each other: they come from a file.
bool is_sound(const Expression& expression) {
  const MatrixLayout& layout = expression.layout;
  const auto genes = static_cast<std::int64_t>(expression.gene_names.size());
  constexpr std::int64_t most = 1 << 20;
  const GeneScaling& scaling = expression.scaling;
  if (genes < 1 || scaling.batches < 1 || scaling.batches > most ||
      static_cast<std::int64_t>(scaling.mean.size()) != scaling.batches * genes ||
      scaling.inverse_sd.size() != scaling.mean.size() || !(expression.target_total > 0))
    return false;
  if (layout.patch_rows < 1 || layout.patch_columns < 1 || layout.rows < layout.patch_rows || layout.rows > most ||
      layout.columns < layout.patch_columns || layout.columns > most || layout.rows % layout.patch_rows != 0 ||
      layout.columns % layout.patch_columns != 0)
    return false;
  if (static_cast<std::int64_t>(layout.slot_to_column.size()) != layout.rows * layout.columns) return false;
  std::vector<std::int32_t> columns;  // every gene has one place
  for (const std::int32_t column : layout.slot_to_column)
    if (column != -1) columns.push_back(column);
  std::sort(columns.begin(), columns.end());
  for (std::int64_t gene = 0; gene < genes; ++gene)
    if (std::ssize(columns) != genes || columns[static_cast<std::size_t>(gene)] != gene) return false;
  return true;
}

ModelSettings model_settings(const Json& settings) {
  RunOptions options;
  OptionTable table = describe_run(options);
  for (const auto& [name, value] : settings.items())
    if (table.find(name) != nullptr) table.set(name, value.get<std::string>(), "in model.json");
  validate(options.model);
  return options.model;
}

}  // namespace

void save_model_description(const std::filesystem::path& folder, const Expression& expression,
                            std::span<const std::string> gene_ids, double share, const RunOptions& options,
                            const AutoencoderShape& shape) {
  RunOptions copy = options;
  Json description = {{"format", kModelFormat},
                      {"version", version_and_commit()},
                      {"settings", result_values(describe_run(copy))},
                      {"predicted_features", shape.predicted_features},
                      {"expression", json_of(expression)},
                      {"genes_hash", genes_hash(expression)},
                      {"share_of_counts", std::round(1e4 * share) / 1e4}};  // the same on any number of ranks
  if (!gene_ids.empty()) {
    Json ids = Json::array();
    for (const std::int64_t gene : expression.genes) ids.push_back(gene_ids[static_cast<std::size_t>(gene)]);
    description["gene_ids"] = ids;
  }
  write_file(folder / "model.json", description.dump() + "\n");
}

ModelDescription read_model_description(std::string_view text, const std::string& subject) {
  const Json json = parse_json(text, subject);
  ModelDescription description = read_json(subject, [&] {
    ModelDescription read;
    const auto format = json.at("format").get<std::string>();
    read.version = json.value("version", "");
    if (std::find(kReadModelFormats.begin(), kReadModelFormats.end(), format) == kReadModelFormats.end())
      throw UserError(fmt::format("{} is a '{}' of mask-sc {}; this one reads '{}'", subject, shown(format),
                                  shown(read.version), kModelFormat));
    read.expression = expression_of(json.at("expression"));
    read.batch_statistics = json.at("expression").value("batch_statistics", false);
    read.gene_ids = json.value("gene_ids", std::vector<std::string>());
    read.share_of_counts = json.value("share_of_counts", 0.0);
    read.model = model_settings(json.at("settings"));
    read.predicted_features = json.value("predicted_features", false);
    return read;
  });
  const std::size_t genes = description.expression.gene_names.size();
  if (!is_sound(description.expression) || (!description.gene_ids.empty() && description.gene_ids.size() != genes))
    throw UserError(fmt::format("{} is damaged: its genes, scaling and matrix do not fit each other", subject));
  mark_tokens(description.expression.layout);
  return description;
}

std::string genes_hash(const Expression& expression) {
  Hasher hasher;
  for (const std::string& name : expression.gene_names) hasher.add(name + "\n");
  hasher.add(std::span<const std::int32_t>(expression.layout.slot_to_column));
  hasher.add(std::span<const float>(expression.scaling.mean));
  hasher.add(std::span<const float>(expression.scaling.inverse_sd));
  if (expression.scaling.counts) hasher.add(std::string("counts"));
  return hasher.hex();
}

}  // namespace masksc
