#include "masksc/run/saved_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/sealed_file.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/scaling.hpp"
#include "masksc/train/checkpoint.hpp"

namespace masksc {
namespace {

/// The folder that was given, or model/ in that of a run.
std::filesystem::path model_folder(const std::filesystem::path& given) {
  std::error_code ignored;
  const bool of_run = !std::filesystem::exists(given / "model.json", ignored) &&
                      std::filesystem::exists(given / "model" / "model.json", ignored);
  return of_run ? given / "model" : given;
}

std::string read_description(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "model.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored))
    throw UserError(
        fmt::format("'{}' holds no model: there is no model.json; give the folder of a finished run, or its model/",
                    folder.string()));
  return read_file(file);
}

/// Length of a bias, 0 when the file has none.
std::int64_t outputs_of(const Seal& seal, const std::string& layer) {
  const SealedArray* bias = seal.find("weights/" + layer + ".bias");
  return bias == nullptr || bias->shape.size() != 1 ? 0 : bias->shape.front();
}

}  // namespace

SavedModel load_model(const std::filesystem::path& given, at::Device device, Collectives& ranks) {
  const std::filesystem::path folder = model_folder(given);
  const std::string text = of_root(ranks, [&] { return read_description(folder); });
  SavedModel model{read_model_description(text, fmt::format("'{}'", (folder / "model.json").string())), {}};
  AutoencoderShape shape;
  shape.model = model.model;
  shape.predicted_features = model.predicted_features;

  const std::filesystem::path weights = folder / "masked_autoencoder.h5";
  std::optional<Seal> seal;
  shape.target_features = of_root(ranks, [&] {
    seal = open_sealed(weights, "masked autoencoder");
    return outputs_of(*seal, "head");
  });
  shape.teacher_features = of_root(ranks, [&] { return outputs_of(*seal, "guide"); });
  if (shape.target_features < 1) throw UserError(fmt::format("'{}' has no output layer", weights.string()));
  if (shape.predicted_features && shape.teacher_features < 1)
    throw UserError(fmt::format("'{}' has no layer for the features that its model.json tells of", weights.string()));
  shape.patch_genes = model.expression.layout.patch_genes();
  shape.token_places = token_places(model.expression.layout);
  model.network = std::make_unique<MaskedAutoencoder>(shape, 0, device);
  const FlatParameters& parameters = model.network->parameters();
  load_parameters(seal, "weights", parameters, parameters.values(), ranks);
  return model;
}

namespace {

GeneMatch match_by(std::span<const std::string> wanted, std::span<const std::string> given) {
  std::unordered_map<std::string, std::int32_t> columns;
  for (std::size_t i = 0; i < wanted.size(); ++i) columns.emplace(wanted[i], static_cast<std::int32_t>(i));
  GeneMatch match;
  std::vector<std::uint8_t> found(wanted.size());
  for (const std::string& name : given) {
    const auto place = name.empty() ? columns.end() : columns.find(name);
    const bool first = place != columns.end() && found[static_cast<std::size_t>(place->second)]++ == 0;
    match.column.push_back(first ? place->second : -1);  // of genes that share a name the first
    if (first) ++match.known;
  }
  return match;
}

}  // namespace

GeneMatch match_genes(const SavedModel& model, std::span<const std::string> gene_names,
                      std::span<const std::string> gene_ids) {
  const std::span<const std::string> names = model.expression.gene_names;
  const std::span<const std::string> ids = model.gene_ids;
  GeneMatch best = match_by(names, gene_names);
  for (const auto& [wanted, given] :
       {std::pair(ids, gene_names), std::pair(names, gene_ids), std::pair(ids, gene_ids)}) {
    if (wanted.empty() || given.empty()) continue;
    GeneMatch match = match_by(wanted, given);
    if (match.known <= best.known) continue;
    best = std::move(match);
    best.by_ids = true;
  }
  if (best.known == 0)
    throw UserError(
        fmt::format("the input has none of the model's {} genes: the model's first is '{}', the input's "
                    "'{}'; are these symbols of one species and identifiers of one kind?",
                    names.size(), shown(names.front()), gene_names.empty() ? "" : shown(gene_names[0])));
  return best;
}

namespace {

/// `counts`, with all genes of the file, as the model was trained to see them.
CsrMatrix as_trained(CsrMatrix counts, std::span<const std::int32_t> column_of_gene, std::int64_t columns,
                     double target_total) {
  ensure(counts.columns == std::ssize(column_of_gene), "express: one match a gene");
  log_normalize(counts, cell_totals(counts), target_total);
  CsrMatrix values;
  values.columns = columns;
  std::vector<std::pair<std::int32_t, float>> row;
  for (std::int64_t r = 0; r < counts.rows; ++r) {
    row.clear();
    const auto indices = counts.row_indices(r);
    const auto stored = counts.row_values(r);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const std::int32_t column = column_of_gene[static_cast<std::size_t>(indices[i])];
      if (column >= 0) row.emplace_back(column, stored[i]);
    }
    std::sort(row.begin(), row.end());
    for (const auto& [column, value] : row) {
      values.indices.push_back(column);
      values.values.push_back(value);
    }
    values.row_start.push_back(std::ssize(values.indices));
    ++values.rows;
  }
  return values;
}

/// Standardises each gene, or its counts' residuals, within the batches of the new cells.
void scale_batches(Expression& expression, const Labels& batches, Collectives& ranks) {
  expression.batch_of_cell = batches.codes;
  const std::int64_t count = batches.empty() ? 1 : std::ssize(batches.names);
  const bool residuals = expression.scaling.counts;
  MomentSums sums =
      sums_of(residuals ? MomentSums::Of::normalized_counts : MomentSums::Of::logs, expression, count, ranks);
  expression.scaling = residuals ? residual_scaling(sums, count, ranks) : standardisation(sums, count, ranks);
}

}  // namespace

Expression express(const SavedModel& model, const GeneMatch& match, ReadCounts read, std::int64_t cells, RowRange rows,
                   const Labels& batches, Collectives& ranks) {
  Expression expression = model.expression;
  expression.cells = cells;
  expression.rows = rows;
  expression.values.columns = std::ssize(expression.gene_names);
  expression.read = [read = std::move(read), column_of_gene = match.column, columns = expression.values.columns,
                     total = expression.target_total](RowRange range) {
    return as_trained(read(range), column_of_gene, columns, total);
  };
  if (model.batch_statistics) scale_batches(expression, batches, ranks);
  return expression;
}

}  // namespace masksc
