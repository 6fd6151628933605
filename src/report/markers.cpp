#include "masksc/report/markers.hpp"

#include <algorithm>
#include <numeric>
#include <scran_markers/scran_markers.hpp>
#include <tatami/tatami.hpp>

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

}  // namespace

CsrMatrix log_expression(CsrMatrix counts) {
  const auto alone = single_rank();
  const std::vector<double> totals = cell_totals(counts);
  log_normalize(counts, totals, median_total(totals, *alone));
  return counts;
}

ClusterMarkers find_markers(const CsrMatrix& expression, const std::vector<std::int32_t>& clusters, std::int64_t k,
                            std::size_t most, int threads) {
  ClusterMarkers markers;
  markers.of_cluster.resize(static_cast<std::size_t>(k));
  scran_markers::ScoreMarkersSummaryOptions options;
  options.num_threads = threads;
  options.compute_cohens_d = options.compute_delta_detected = false;
  options.compute_min = options.compute_median = options.compute_max = options.compute_min_rank = false;
  const auto scores =
      scran_markers::score_markers_summary<double, int>(*genes_by_cells(expression), clusters.data(), options);
  markers.mean = scores.mean;
  markers.detected = scores.detected;
  // The last clusters may have no cell in a sample.
  markers.mean.resize(static_cast<std::size_t>(k), std::vector<double>(static_cast<std::size_t>(expression.columns)));
  markers.detected.resize(static_cast<std::size_t>(k), markers.mean.back());
  if (k < 2) return markers;
  std::vector<double> sizes(static_cast<std::size_t>(k));
  for (const std::int32_t cluster : clusters) ++sizes[static_cast<std::size_t>(cluster)];
  std::vector<std::int64_t> genes(static_cast<std::size_t>(expression.columns));
  for (std::size_t cluster = 0; cluster < scores.auc.size(); ++cluster) {
    const std::vector<double>& auc = scores.auc[cluster].mean;
    std::iota(genes.begin(), genes.end(), std::int64_t{0});
    const auto end = genes.begin() + static_cast<std::ptrdiff_t>(std::min(most, genes.size()));
    std::partial_sort(genes.begin(), end, genes.end(), [&](std::int64_t a, std::int64_t b) {
      const double first = auc[static_cast<std::size_t>(a)], second = auc[static_cast<std::size_t>(b)];
      return first != second ? first > second : a < b;
    });
    for (auto gene = genes.begin(); gene != end; ++gene) {
      const auto g = static_cast<std::size_t>(*gene);
      if (!(auc[g] > 0.5)) break;
      double elsewhere = 0, others = 0;
      for (std::size_t other = 0; other < scores.auc.size(); ++other) {
        if (other == cluster || sizes[other] == 0) continue;
        elsewhere += scores.detected[other][g] * sizes[other];
        others += sizes[other];
      }
      markers.of_cluster[cluster].push_back({*gene, auc[g], scores.delta_mean[cluster].mean[g],
                                             scores.detected[cluster][g], others > 0 ? elsewhere / others : 0});
    }
  }
  return markers;
}

}  // namespace masksc
