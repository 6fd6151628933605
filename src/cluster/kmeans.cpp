#include "masksc/cluster/kmeans.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <utility>

#include "lloyd.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "seeding.hpp"
#include "tiled_rows.hpp"

namespace masksc {
namespace {

void check(const KMeansSettings& settings, std::int64_t cells) {
  if (settings.clusters < 1) {
    throw UserError(fmt::format("K-means: {} clusters asked for; there must be at least 1", settings.clusters));
  }
  if (settings.clusters > cells) {
    throw UserError(fmt::format("K-means: {} clusters asked for, but there are only {} cells; ask for fewer",
                                settings.clusters, cells));
  }
  if (settings.restarts < 1 || settings.max_iterations < 1 || !(settings.tolerance >= 0)) {
    throw UserError(
        fmt::format("K-means: restarts ({}) and iterations ({}) must be at least 1, the tolerance ({}) at "
                    "least 0",
                    settings.restarts, settings.max_iterations, settings.tolerance));
  }
}

detail::TiledRows pack(const DealtRows& dealt, int threads, Collectives& ranks) {
  const std::int64_t columns = check_dealt_rows(dealt, ranks);
  check_finite(dealt, "K-means", ranks);
  detail::TiledRows data = detail::pack_rows(dealt, columns, ranks);
  data.threads = threads;
  return data;
}

/// Centres in the scale of the packed rows.
std::vector<float> scaled(const DenseMatrix& centres, const detail::TiledRows& data) {
  std::vector<float> values(centres.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto mean = static_cast<double>(data.mean[i % data.mean.size()]);
    values[i] = static_cast<float>((static_cast<double>(centres.values[i]) - mean) * data.scale);
  }
  return values;
}

KMeansResult unscale(detail::LloydResult&& found, const detail::TiledRows& data, std::int64_t clusters,
                     const Collectives& ranks) {
  if (found.empty > 0 && ranks.is_root()) {
    log::warning("K-means: {} of {} clusters have no cells: there are fewer distinct cells than clusters", found.empty,
                 clusters);
  }
  KMeansResult result;
  result.labels = std::move(found.labels);
  result.inertia = found.inertia / (data.scale * data.scale);
  result.iterations = found.iterations;
  result.centres = DenseMatrix(clusters, data.columns);
  for (std::size_t i = 0; i < result.centres.values.size(); ++i) {
    const auto mean = static_cast<double>(data.mean[i % data.mean.size()]);
    result.centres.values[i] = static_cast<float>(static_cast<double>(found.centres[i]) / data.scale + mean);
  }
  return result;
}

}  // namespace

KMeansResult kmeans(const DealtRows& dealt, const KMeansSettings& settings, Collectives& ranks,
                    const std::function<void()>& poll, KMeansProgress* progress) {
  check(settings, dealt.cells);
  const detail::TiledRows data = pack(dealt, settings.threads, ranks);
  KMeansProgress own;
  KMeansProgress& best = progress != nullptr ? *progress : own;
  std::vector<std::int32_t> labels;  // of the best, unless it was found in another run
  while (best.restarts < settings.restarts) {
    const auto restart = static_cast<std::uint32_t>(best.restarts);
    auto start = detail::draw_centres(data, settings.clusters, settings.seed, restart, ranks, poll);
    auto found = detail::lloyd(data, std::move(start), settings, ranks, poll);
    if (restart == 0 || found.inertia < best.inertia) {
      labels = std::move(found.labels);
      best = {best.restarts, std::move(found.centres), found.inertia, found.iterations, found.empty};
    }
    ++best.restarts;
  }
  if (labels.empty()) labels = detail::nearest_labels(data, best.centres, settings.clusters);
  return unscale({std::move(labels), best.centres, best.inertia, best.iterations, best.empty}, data, settings.clusters,
                 ranks);
}

KMeansResult kmeans_from(const DenseMatrix& start, const DealtRows& dealt, const KMeansSettings& settings,
                         Collectives& ranks, const std::function<void()>& poll) {
  check(settings, dealt.cells);
  const detail::TiledRows data = pack(dealt, settings.threads, ranks);
  ensure(start.rows == settings.clusters && start.columns == data.columns,
         "K-means: one start a cluster, of the rows' columns");
  return unscale(detail::lloyd(data, scaled(start, data), settings, ranks, poll), data, settings.clusters, ranks);
}

std::vector<std::int32_t> nearest_centres(const DenseMatrix& centres, const DealtRows& dealt, int threads,
                                          Collectives& ranks) {
  const detail::TiledRows data = pack(dealt, threads, ranks);
  ensure(centres.rows > 0 && centres.columns == data.columns, "K-means: centres have the rows' columns");
  return detail::nearest_labels(data, scaled(centres, data), centres.rows);
}

}  // namespace masksc
