#include "attention.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "masksc/core/chosen.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/embed/embed.hpp"

namespace masksc {
namespace {

constexpr std::size_t most_clusters = 30;

/// Up to `count` rows of each cluster, nearest to its mean first; clusters in order.
std::vector<std::int64_t> typical_rows(const DenseMatrix& features, const Labels& clusters, std::int64_t count) {
  std::vector<std::int64_t> typical;
  const std::size_t k = std::min(clusters.names.size(), most_clusters);
  for (std::size_t cluster = 0; cluster < k; ++cluster) {
    std::vector<std::int64_t> members;
    std::vector<double> mean(static_cast<std::size_t>(features.columns));
    for (std::int64_t i = 0; i < features.rows; ++i) {
      if (clusters.codes[static_cast<std::size_t>(i)] != static_cast<std::int32_t>(cluster)) continue;
      members.push_back(i);
      for (std::size_t f = 0; f < mean.size(); ++f) mean[f] += features.row(i)[f];
    }
    for (double& value : mean) value /= std::max<double>(1, static_cast<double>(members.size()));
    std::vector<std::pair<double, std::int64_t>> far;
    for (const std::int64_t row : members) {
      double squared = 0;
      for (std::size_t f = 0; f < mean.size(); ++f)
        squared += (features.row(row)[f] - mean[f]) * (features.row(row)[f] - mean[f]);
      far.emplace_back(squared, row);
    }
    std::sort(far.begin(), far.end());
    for (std::size_t i = 0; i < std::min(far.size(), static_cast<std::size_t>(count)); ++i)
      typical.push_back(far[i].second);
  }
  return typical;
}

/// Slot of the patch-major layout to place in the matrix, row by row.
std::size_t place_of(const MatrixLayout& layout, std::int64_t slot) {
  const std::int64_t token = slot / layout.patch_genes(), inside = slot % layout.patch_genes();
  const std::int64_t row = token / layout.patches_across() * layout.patch_rows + inside / layout.patch_columns;
  const std::int64_t column = token % layout.patches_across() * layout.patch_columns + inside % layout.patch_columns;
  return static_cast<std::size_t>(row * layout.columns + column);
}

/// The batch of each cell of the run; empty where all are of one.
Labels batches_of(const RunContent& run) {
  const std::string name = run.metrics.value("batch", "");
  const auto found = std::find_if(run.columns.begin(), run.columns.end(),
                                  [&](const ObsColumn& column) { return column.name == name; });
  return found == run.columns.end() ? Labels() : found->categories;
}

}  // namespace

AttentionGrid attend(const SavedModel& model, const RunContent& run, std::int64_t per_cluster) {
  const MatrixLayout& layout = model.expression.layout;
  AttentionGrid grid{layout.rows, layout.columns, layout.patch_rows, layout.patch_columns, {}, {}};
  const auto slots = static_cast<std::size_t>(layout.rows * layout.columns);
  grid.genes.resize(slots);
  for (std::size_t slot = 0; slot < slots; ++slot)
    if (const std::int32_t column = layout.slot_to_column[slot]; column >= 0)
      grid.genes[place_of(layout, static_cast<std::int64_t>(slot))] =
          model.expression.gene_names[static_cast<std::size_t>(column)];

  const std::vector<std::int64_t> typical = typical_rows(run.features, run.clusters, per_cluster);
  const auto count = static_cast<std::int64_t>(typical.size());
  // Where cells are standardised within their batches, all of a batch are needed.
  std::vector<std::int64_t> read = typical;
  Labels batches;
  if (model.batch_statistics) {
    read.resize(static_cast<std::size_t>(run.counts.rows));
    std::iota(read.begin(), read.end(), std::int64_t{0});
    batches = batches_of(run);
  }
  const auto alone = single_rank();
  const auto rows = static_cast<std::int64_t>(read.size());
  const auto counts_of = [&](RowRange range) {
    return chosen_rows(run.counts, std::span(read).subspan(static_cast<std::size_t>(range.begin),
                                                           static_cast<std::size_t>(range.size())));
  };
  const Expression expression =
      express(model, match_genes(model, run.genes, run.gene_ids), counts_of, rows, {0, rows}, batches, *alone);
  const Densifier densifier(expression);
  const std::int64_t patch = layout.patch_genes(), width = densifier.width();
  for (std::int64_t i = 0; i < count; ++i) {
    AttendedCell cell{typical[static_cast<std::size_t>(i)], 0, std::vector<float>(slots),
                      std::vector<float>(static_cast<std::size_t>(layout.tokens()))};
    cell.cluster = run.clusters.codes[static_cast<std::size_t>(cell.cell)];
    std::vector<float> dense(static_cast<std::size_t>(width));
    const std::int64_t row = model.batch_statistics ? typical[static_cast<std::size_t>(i)] : i;
    const ExpressionRows values(expression, {row, row + 1});
    densifier.fill(values.indices(row), values.values(row), dense, expression.batch(row));
    const std::vector<float> weights = global_attention(*model.network, dense);
    std::int64_t token_with_genes = 0;
    for (std::int64_t token = 0; token < layout.tokens(); ++token) {
      if (layout.token_has_genes[static_cast<std::size_t>(token)] == 0) continue;
      cell.attention[static_cast<std::size_t>(token)] = weights[static_cast<std::size_t>(token_with_genes)];
      for (std::int64_t g = 0; g < patch; ++g)
        cell.matrix[place_of(layout, token * patch + g)] =
            dense[static_cast<std::size_t>(token_with_genes * patch + g)];
      ++token_with_genes;
    }
    grid.cells.push_back(std::move(cell));
  }
  return grid;
}

}  // namespace masksc
