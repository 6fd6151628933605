// K-means over ranks (Lloyd's iterations from greedy k-means++ starts) with the same bits on any number of ranks.
// A row's distances are computed in one fixed order of operations; sums over rows are exact integers; draws are by
// global row. So labels, centres and inertia don't depend on how the rows are dealt out.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

struct KMeansSettings {
  std::int64_t clusters = 8;
  std::int64_t restarts = 10;         // independent starts; the one of least inertia is kept
  std::int64_t max_iterations = 300;  // of Lloyd, per start
  double tolerance = 1e-4;            // stop when the centres' squared shift is below this share of the mean variance
  std::uint64_t seed = 0;
  int threads = 1;  // of this rank: any number gives the same bits
};

struct KMeansResult {
  std::vector<std::int32_t> labels;  // nearest centre of each local row (the lowest number of equals)
  DenseMatrix centres;               // [clusters, columns], the same on every rank
  double inertia = 0;                // sum over all rows of the squared distance to their centre
  std::int64_t iterations = 0;       // of the start that was kept
};

/// What the restarts so far have found: enough to go on from, on any number of ranks, with the same bits.
struct KMeansProgress {
  std::int64_t restarts = 0;    // done
  std::vector<float> centres;   // of the best, [clusters, columns] in K-means' own scale
  double inertia = 0;           // of the best, in that scale
  std::int64_t iterations = 0;  // of the best
  std::int64_t empty = 0;       // its clusters without rows
};

/// Clusters the rows dealt out over `ranks` (contiguous in rank order, any sizes). `poll`, when given, is called once
/// an iteration. Some clusters stay empty when there are fewer distinct rows than clusters (a warning says so).
/// `progress`, when given, is where it goes on, and is kept up to date: `poll` may save it.
/// A collective. Throws UserError for more clusters than cells, InvariantError for values that aren't finite.
KMeansResult kmeans(const DealtRows& dealt, const KMeansSettings& settings, Collectives& ranks,
                    const std::function<void()>& poll = {}, KMeansProgress* progress = nullptr);

/// The same from the given centres [settings.clusters, columns] (equal on every rank) instead of drawn ones.
KMeansResult kmeans_from(const DenseMatrix& start, const DealtRows& dealt, const KMeansSettings& settings,
                         Collectives& ranks, const std::function<void()>& poll = {});

/// The nearest of the centres [any, columns] (equal on every rank) to each local row, the lowest number of equals; on
/// `threads` threads. A collective.
std::vector<std::int32_t> nearest_centres(const DenseMatrix& centres, const DealtRows& dealt, int threads,
                                          Collectives& ranks);

}  // namespace masksc
