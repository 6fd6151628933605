// How many clusters: as asked for, as many as there are label categories, or chosen from the cells alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "masksc/cluster/partition.hpp"
#include "masksc/core/options.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

enum class ClusterChoice { both, leiden, silhouette };

struct ClusterSettings {
  std::string clusters;  // "" = as many as label categories, or auto without labels; a number; "auto"
  Clustering clustering = Clustering::best;
  ClusterChoice choice = ClusterChoice::both;
  double resolution = 0.2;            // of Leiden
  std::int64_t neighbours = 15;       // of a cell in Leiden's graph
  std::int64_t restarts = 10;         // of K-means
  std::int64_t max_iterations = 300;  // of K-means, per restart
};

/// Adds the options; the choice without igraph is silhouette.
void describe(OptionTable& table, ClusterSettings& settings);

/// Throws UserError for a value out of range, or Leiden in a build without igraph.
void validate(const ClusterSettings& settings);

/// Throws UserError when more clusters are asked for than there are cells: to be known before hours of training.
void check_clusters(const ClusterSettings& settings, std::int64_t cells);

/// The number of clusters and where it came from: "option", "labels" or "auto".
struct ClusterCount {
  std::int64_t clusters = 1;
  std::string source;
};

/// The number that `settings` or, where they say nothing, the labels give (label_categories is 0 without labels);
/// nothing where it is to be chosen.
std::optional<ClusterCount> given_clusters(const ClusterSettings& settings, std::int64_t label_categories);

/// Decides by `settings`; label_categories is 0 without labels. A collective; throws UserError for more clusters than
/// cells, and as choose_clusters.
ClusterCount decide_clusters(const ClusterSettings& settings, std::int64_t label_categories, const DealtRows& dealt,
                             std::uint64_t seed, Collectives& ranks, const std::function<void()>& poll = {});

/// A number of clusters from the rows alone, by settings.choice; the same on any number of ranks. A collective.
/// leiden: the number of Leiden's clusters that hold at least 1 % of the cells (of a sample of 50,000 when there are
/// more). Its default resolution is 0.2, not the 1 that is usual on principal components: learnt embeddings are so
/// clustered that 1 splits types (14 clusters of 8 types of PBMC, 18 of 10 of worm neurons; 0.2 finds 8 and 10).
/// silhouette: the largest k in 2 .. 30 whose K-means has a mean silhouette of at least 97.5 % of the best (on a sample
/// of 10,000 cells when there are more); 1 when none is above 0.
/// both: Leiden's number where its silhouette is one of those as good as the best, or where it is larger than these and
/// K-means into so many clusters agrees with itself (kmeans_agreement of at least 0.9), else the silhouette's. Leiden's
/// graph falls apart where types differ weakly, and its communities split types that K-means then cuts at random; the
/// silhouette overlooks types within types, and does not choose between numbers where it hardly falls.
std::int64_t choose_clusters(const DealtRows& dealt, const ClusterSettings& settings, std::uint64_t seed,
                             Collectives& ranks, const std::function<void()>& poll = {});

}  // namespace masksc
