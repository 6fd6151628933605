#include "masksc/report/markers.hpp"

#include <algorithm>
#include <numbers>
#include <numeric>
#include <scran_markers/scran_markers.hpp>
#include <tatami/tatami.hpp>

#include "masksc/cluster/borders.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/normalize.hpp"

namespace masksc {
namespace {

/// Genes in rows, each row in one piece: what comparisons of genes read fastest.
std::shared_ptr<tatami::Matrix<double, int>> genes_by_cells(const CsrMatrix& expression) {
  const auto view = [](const auto& values) { return tatami::ArrayView(values.data(), values.size()); };
  const tatami::CompressedSparseMatrix<double, int, tatami::ArrayView<float>, tatami::ArrayView<std::int32_t>,
                                       tatami::ArrayView<std::int64_t>>
      by_cell(static_cast<int>(expression.columns), static_cast<int>(expression.rows), view(expression.values),
              view(expression.indices), view(expression.row_start), false);
  return tatami::convert_to_compressed_sparse<double, int, float, int>(by_cell, true, {});
}

/// Cells, mean expression and shares of all clusters, without markers.
ClusterMarkers describe(const CsrMatrix& expression, const std::vector<std::int32_t>& clusters, std::size_t k) {
  ClusterMarkers found;
  found.of_cluster.resize(k);
  found.cells.resize(k);
  found.mean.assign(k, std::vector<double>(static_cast<std::size_t>(expression.columns)));
  found.detected = found.mean;
  for (std::size_t cell = 0; cell < clusters.size(); ++cell) {
    const auto cluster = static_cast<std::size_t>(clusters[cell]);
    ++found.cells[cluster];
    for (auto i = static_cast<std::size_t>(expression.row_start[cell]);
         i < static_cast<std::size_t>(expression.row_start[cell + 1]); ++i) {
      const auto gene = static_cast<std::size_t>(expression.indices[i]);
      found.mean[cluster][gene] += static_cast<double>(expression.values[i]);
      found.detected[cluster][gene] += expression.values[i] > 0 ? 1 : 0;
    }
  }
  for (std::size_t cluster = 0; cluster < k; ++cluster)
    for (auto* const sums : {&found.mean[cluster], &found.detected[cluster]})
      for (double& sum : *sums) sum /= static_cast<double>(std::max<std::int64_t>(found.cells[cluster], 1));
  return found;
}

std::vector<std::size_t> compared_clusters(const std::vector<std::int64_t>& cells) {
  const auto with = [&](std::int64_t fewest) {
    std::vector<std::size_t> clusters;
    for (std::size_t i = 0; i < cells.size(); ++i)
      if (cells[i] >= fewest) clusters.push_back(i);
    return clusters;
  };
  std::vector<std::size_t> large = with(kFewestCells);
  return large.size() >= 2 ? large : with(1);
}

}  // namespace

CsrMatrix log_expression(CsrMatrix counts) {
  const auto alone = single_rank();
  const std::vector<double> totals = cell_totals(counts);
  log_normalize(counts, totals, median_total(totals, *alone));
  return counts;
}

ClusterMarkers find_markers(const CsrMatrix& expression, const std::vector<std::int32_t>& clusters, std::int64_t k,
                            std::size_t most, int threads) {
  ClusterMarkers markers = describe(expression, clusters, static_cast<std::size_t>(k));
  const std::vector<std::size_t> compared = compared_clusters(markers.cells);
  if (compared.size() < 2) return markers;
  std::vector<int> code(markers.cells.size(), -1);
  for (std::size_t i = 0; i < compared.size(); ++i) code[compared[i]] = static_cast<int>(i);
  std::vector<int> cells, codes;
  for (std::size_t cell = 0; cell < clusters.size(); ++cell) {
    const int of_cell = code[static_cast<std::size_t>(clusters[cell])];
    if (of_cell < 0) continue;
    cells.push_back(static_cast<int>(cell));
    codes.push_back(of_cell);
  }
  scran_markers::ScoreMarkersSummaryOptions options;
  options.num_threads = threads;
  options.compute_group_mean = options.compute_group_detected = false;  // of all clusters, above
  options.compute_cohens_d = options.compute_delta_detected = false;
  options.compute_min = options.compute_median = options.compute_max = options.compute_min_rank = false;
  std::shared_ptr<const tatami::Matrix<double, int>> matrix = genes_by_cells(expression);
  if (cells.size() < clusters.size())
    matrix = tatami::make_DelayedSubset<double, int>(std::move(matrix), std::move(cells), /*by_row=*/false);
  const auto scores = scran_markers::score_markers_summary<double, int>(*matrix, codes.data(), options);

  const auto all = static_cast<double>(clusters.size());
  std::vector<std::int64_t> genes(static_cast<std::size_t>(expression.columns));
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const std::size_t cluster = compared[i];
    const std::vector<double>& auc = scores.auc[i].mean;
    std::iota(genes.begin(), genes.end(), std::int64_t{0});
    const auto end = genes.begin() + static_cast<std::ptrdiff_t>(std::min(most, genes.size()));
    std::partial_sort(genes.begin(), end, genes.end(), [&](std::int64_t a, std::int64_t b) {
      const double first = auc[static_cast<std::size_t>(a)], second = auc[static_cast<std::size_t>(b)];
      return first != second ? first > second : a < b;
    });
    for (auto gene = genes.begin(); gene != end; ++gene) {
      const auto g = static_cast<std::size_t>(*gene);
      if (!(auc[g] > 0.5)) break;
      double having = 0;
      for (std::size_t other = 0; other < markers.cells.size(); ++other)
        if (other != cluster) having += markers.detected[other][g] * static_cast<double>(markers.cells[other]);
      const double others = all - static_cast<double>(markers.cells[cluster]);
      markers.of_cluster[cluster].push_back({*gene, auc[g], scores.delta_mean[i].mean[g] / std::numbers::ln2,
                                             markers.detected[cluster][g], others > 0 ? having / others : 0});
    }
  }
  return markers;
}

}  // namespace masksc
