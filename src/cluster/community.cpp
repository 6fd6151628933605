#include "community.hpp"

#include "masksc/cluster/leiden.hpp"
#include "masksc/core/error.hpp"

#ifdef MASKSC_WITH_IGRAPH
#include <fmt/format.h>
#include <igraph.h>

#include <cstddef>
#include <numeric>

namespace masksc {
namespace {

void check(igraph_error_t code, const char* what) {
  if (code == IGRAPH_SUCCESS) return;
  throw EnvironmentError(fmt::format("igraph: {} failed: {}", what, igraph_strerror(code)));
}

/// igraph's handler of errors aborts the process; ours lets the code come back to check().
struct QuietErrors {
  igraph_error_handler_t* before = igraph_set_error_handler(igraph_error_handler_ignore);
  QuietErrors() = default;
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { igraph_set_error_handler(before); }
};

struct IntegerVector {
  igraph_vector_int_t raw{};
  explicit IntegerVector(std::size_t size) {
    check(igraph_vector_int_init(&raw, static_cast<igraph_integer_t>(size)), "making a vector");
  }
  IntegerVector(const IntegerVector&) = delete;
  IntegerVector& operator=(const IntegerVector&) = delete;
  ~IntegerVector() { igraph_vector_int_destroy(&raw); }
};

struct Graph {
  igraph_t raw{};
  explicit Graph(const detail::WeightedGraph& graph) {
    IntegerVector ends(2 * graph.from.size());
    for (std::size_t e = 0; e < graph.from.size(); ++e) {
      VECTOR(ends.raw)[2 * e] = graph.from[e];
      VECTOR(ends.raw)[2 * e + 1] = graph.to[e];
    }
    check(igraph_create(&raw, &ends.raw, graph.nodes, IGRAPH_UNDIRECTED), "making the graph");
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { igraph_destroy(&raw); }
};

}  // namespace

bool has_leiden() { return true; }

namespace detail {

namespace {

/// Every node its own community: what is left without edges.
std::vector<std::int32_t> alone(std::int64_t nodes) {
  std::vector<std::int32_t> communities(static_cast<std::size_t>(nodes));
  std::iota(communities.begin(), communities.end(), 0);
  return communities;
}

}  // namespace

std::vector<std::int32_t> leiden_communities(const WeightedGraph& graph, double resolution, std::uint64_t seed) {
  if (graph.weights.empty()) return alone(graph.nodes);
  const QuietErrors quiet;
  check(igraph_rng_seed(igraph_rng_default(), seed), "seeding");
  const Graph nodes(graph);
  // Modularity: a node weighs its strength, and the resolution is divided by the sum of all strengths.
  std::vector<double> strengths(static_cast<std::size_t>(graph.nodes));
  for (std::size_t e = 0; e < graph.weights.size(); ++e) {
    strengths[static_cast<std::size_t>(graph.from[e])] += graph.weights[e];
    strengths[static_cast<std::size_t>(graph.to[e])] += graph.weights[e];
  }
  const double total = std::accumulate(strengths.begin(), strengths.end(), 0.0);
  igraph_vector_t edge_weights;
  igraph_vector_t node_weights;
  igraph_vector_view(&edge_weights, graph.weights.data(), static_cast<igraph_integer_t>(graph.weights.size()));
  igraph_vector_view(&node_weights, strengths.data(), graph.nodes);
  IntegerVector membership(strengths.size());
  constexpr double randomness = 0.01;  // of the refinement, igraph's and scanpy's default
  constexpr int most_iterations = 100;
  igraph_integer_t clusters = 0;
  double quality = 0;
  double before = -1;
  // One iteration a call: igraph 0.10.2's own loop "until stable" never ends on some graphs (a single node).
  for (int i = 0; i < most_iterations && quality > before + 1e-12; ++i) {
    before = i == 0 ? -1 : quality;
    check(igraph_community_leiden(&nodes.raw, &edge_weights, &node_weights, total > 0 ? resolution / total : 0,
                                  randomness, i > 0, 1, &membership.raw, &clusters, &quality),
          "Leiden");
  }
  std::vector<std::int32_t> communities(strengths.size());
  for (std::size_t i = 0; i < communities.size(); ++i)
    communities[i] = static_cast<std::int32_t>(VECTOR(membership.raw)[i]);
  return communities;
}

}  // namespace detail
}  // namespace masksc

#else

namespace masksc {

bool has_leiden() { return false; }

std::vector<std::int32_t> detail::leiden_communities(const WeightedGraph& /*graph*/, double /*resolution*/,
                                                     std::uint64_t /*seed*/) {
  throw UserError(
      "this build of mask-sc has no Leiden (igraph was left out): choose --auto-clusters silhouette, or a number of "
      "--clusters, or build with -DMASKSC_IGRAPH=ON");
}

}  // namespace masksc

#endif
