#include "guidance.hpp"

#include <algorithm>
#include <span>

#include "judged_cells.hpp"
#include "masksc/cluster/groups.hpp"
#include "masksc/core/log.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

/// Answers stand alone where their silhouette is so many times that of components: it was .83 to 2 where components
/// bring nothing or cost, at most .7 where they gain (benchmarks/results/quality.md).
constexpr double kAsClear = 0.75;

/// The highest silhouette of three answers of K-means, which finds many clusters well by luck only. The same three for
/// every --seed.
double best_silhouette(const DealtRows& dealt, std::int64_t clusters, Collectives& ranks) {
  double best = -1;
  for (std::uint64_t start = 0; start < 3; ++start)
    best = std::max(best, kmeans_silhouette(dealt, clusters, start, ranks));
  return best;
}

/// K-means' clusters, of 8, 16 and 32 (10 cells each at least), that `components` tell apart best.
struct Clearest {
  std::int64_t clusters = kManyGroups;
  double silhouette = -1;
};
Clearest clearest_clusters(const DealtRows& components, Collectives& ranks) {
  Clearest clearest;
  for (const std::int64_t clusters : {kManyGroups, 2 * kManyGroups, 4 * kManyGroups}) {
    if (clusters > kManyGroups && 10 * clusters > components.cells) break;
    const double found = best_silhouette(components, clusters, ranks);
    if (found > clearest.silhouette) clearest = {clusters, found};
  }
  return clearest;
}

}  // namespace

TargetSettings decide_guidance(const TargetSettings& settings, const SequenceEncoders& encoders,
                               const ForEachTile& for_each_tile, const RunInput& input, std::uint64_t seed,
                               Collectives& ranks) {
  TargetSettings decided = settings;
  if (settings.guidance <= 0 || settings.guidance_target != GuidanceTarget::automatic) return decided;
  if (input.expression.cells < kFewestSearched) {
    decided.guidance_target = GuidanceTarget::sequence;
    log::info("guidance: {} cells are too few to look for groups in; the sequence encoder's answers guide stage 2",
              input.expression.cells);
    return decided;
  }
  const DealtSample components = judged_components(input.components, input.expression, seed);
  const std::span<const std::int64_t> mine =
      std::span(components.chosen)
          .subspan(static_cast<std::size_t>(components.rows.begin), static_cast<std::size_t>(components.rows.size()));
  DenseMatrix local;
  together(ranks, [&] { local = sequence_answers(*encoders.whole, for_each_tile, mine); });
  const DealtRows answers{local, components.rows, components.cells()};
  const GroupsFound groups = find_groups(answers, seed, ranks);
  if (!groups.shown) {
    decided.guidance_target = GuidanceTarget::components;
    log::info(
        "guidance: the sequence encoder's answers show no groups of cells (silhouette {:.2f}); principal components "
        "guide stage 2",
        groups.silhouette);
    return decided;
  }
  const Clearest known = clearest_clusters(components.dealt(), ranks);
  const double found = best_silhouette(answers, known.clusters, ranks);
  const bool weaker = found < kAsClear * known.silhouette;
  decided.guidance_target = weaker ? GuidanceTarget::both : GuidanceTarget::sequence;
  log::info(
      "guidance: the sequence encoder's answers show {}groups of cells (silhouette {:.2f} of {} clusters, {:.2f} in "
      "principal components); {} stage 2",
      weaker ? "weaker " : "", found, known.clusters, known.silhouette, weaker ? "both guide" : "they guide");
  return decided;
}

}  // namespace masksc
