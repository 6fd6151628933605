// Silhouette (Rousseeuw 1987) with Euclidean distances, computed over ranks: how much nearer a cell is to its own
// cluster than to the next one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

/// The silhouette of each local cell, in [-1, 1], as scikit-learn's silhouette_samples (0 in a cluster of one cell).
/// Any integers are labels. Nothing when there are fewer than 2 or more than cells - 1 clusters.
/// All rows stream past every rank in blocks; distances and sums are in double and added up in the order of global
/// rows, so that the values have the same bits on any number of ranks. O(cells^2 * columns / ranks) time.
/// `poll`, when given, is called once a block. A collective. Throws InvariantError for values that aren't finite.
std::optional<std::vector<double>> silhouette_values(const DealtRows& dealt, std::span<const std::int32_t> local_labels,
                                                     Collectives& ranks, const std::function<void()>& poll = {});

/// The mean silhouette over all cells, as scikit-learn's silhouette_score; otherwise as silhouette_values.
std::optional<double> silhouette(const DealtRows& dealt, std::span<const std::int32_t> local_labels, Collectives& ranks,
                                 const std::function<void()>& poll = {});

/// A mean silhouette, of a sample where there are very many cells.
struct SilhouetteScore {
  double mean = 0;
  double standard_error = 0;  // of the mean; 0 when no cell was left out
  std::int64_t cells = 0;     // whose silhouettes it is the mean of
};

/// How many cells are compared with each other, all pairs of them.
struct SilhouetteSample {
  std::int64_t most_cells = 100'000;  // up to so many all are taken
  std::int64_t size = 25'000;         // of more, so many, drawn by seed and compared with each other only
  std::uint64_t seed = 0;
};

/// The mean silhouette of all cells, or of a sample (as scikit-learn's sample_size) with its standard error: that of
/// the mean of ten disjoint parts of the sample, for cells that are compared with each other are not independent (their
/// standard deviation / sqrt(cells) was a half to a quarter of the error on data with small or scattered clusters). The
/// same bits on any number of ranks. Nothing when there are fewer than 2 or more than sampled cells - 1 clusters in the
/// sample. Otherwise as silhouette.
std::optional<SilhouetteScore> silhouette_score(const DealtRows& dealt, std::span<const std::int32_t> local_labels,
                                                const SilhouetteSample& sample, Collectives& ranks,
                                                const std::function<void()>& poll = {});

}  // namespace masksc
