#include "masksc/core/linkage.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace masksc {
namespace {

struct Merge {
  std::int64_t a = 0;  // slots (items) that stand for the clusters; the merged one lives on in b > a
  std::int64_t b = 0;
  double distance = 0;
};

/// Grows chains of nearest neighbours until two are each other's nearest, merges these, goes on with what remains.
class NeighbourChain {
 public:
  explicit NeighbourChain(PairDistances& distances)
      : distances_(distances), size_(static_cast<std::size_t>(distances.items), 1) {}

  std::vector<Merge> merge_all() {
    std::vector<Merge> merges;
    for (std::int64_t k = 0; k + 1 < distances_.items; ++k) merges.push_back(merge_next());
    return merges;
  }

 private:
  Merge merge_next() {
    if (chain_.empty()) chain_.push_back(std::find_if(size_.begin(), size_.end(), alive) - size_.begin());
    for (;;) {
      const std::int64_t tip = chain_.back();
      // On equal distances the previous link wins: the chain cannot run in circles.
      std::int64_t nearest = chain_.size() > 1 ? chain_[chain_.size() - 2] : -1;
      double least = nearest >= 0 ? distances_.values[distances_.at(tip, nearest)] : kInfinite;
      for (std::int64_t other = 0; other < distances_.items; ++other) {
        if (other == tip || !alive(size_[static_cast<std::size_t>(other)])) continue;
        const double distance = distances_.values[distances_.at(tip, other)];
        if (distance < least) {
          least = distance;
          nearest = other;
        }
      }
      if (chain_.size() > 1 && nearest == chain_[chain_.size() - 2]) return merge(tip, nearest, least);
      chain_.push_back(nearest);
    }
  }

  Merge merge(std::int64_t x, std::int64_t y, double distance) {
    chain_.resize(chain_.size() - 2);
    const auto [a, b] = std::minmax(x, y);
    const auto size_a = static_cast<double>(size_[static_cast<std::size_t>(a)]);
    const auto size_b = static_cast<double>(size_[static_cast<std::size_t>(b)]);
    size_[static_cast<std::size_t>(b)] += size_[static_cast<std::size_t>(a)];
    size_[static_cast<std::size_t>(a)] = 0;
    for (std::int64_t other = 0; other < distances_.items; ++other) {
      if (other == b || !alive(size_[static_cast<std::size_t>(other)])) continue;
      double& to_b = distances_.values[distances_.at(b, other)];
      to_b = (size_a * distances_.values[distances_.at(a, other)] + size_b * to_b) / (size_a + size_b);
    }
    return {a, b, distance};
  }

  static bool alive(std::int64_t size) { return size > 0; }
  static constexpr double kInfinite = std::numeric_limits<double>::infinity();

  PairDistances& distances_;
  std::vector<std::int64_t> size_;  // of the cluster that the slot stands for, 0 once merged into another
  std::vector<std::int64_t> chain_;
};

std::int64_t root_of(std::vector<std::int64_t>& parent, std::int64_t node) {
  while (parent[static_cast<std::size_t>(node)] != node) {
    parent[static_cast<std::size_t>(node)] = parent[static_cast<std::size_t>(parent[static_cast<std::size_t>(node)])];
    node = parent[static_cast<std::size_t>(node)];
  }
  return node;
}

/// By distance; a chain finds its merges in another order.
std::vector<Merge> sorted_merges(PairDistances& distances) {
  std::vector<Merge> merges = NeighbourChain(distances).merge_all();
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& one, const Merge& two) { return one.distance < two.distance; });
  return merges;
}

std::vector<std::int64_t> own_roots(std::int64_t nodes) {
  std::vector<std::int64_t> parent(static_cast<std::size_t>(std::max<std::int64_t>(nodes, 0)));
  std::iota(parent.begin(), parent.end(), std::int64_t{0});
  return parent;
}

}  // namespace

std::vector<std::int32_t> average_linkage_clusters(PairDistances distances, std::int64_t clusters) {
  const std::int64_t items = distances.items;
  const std::vector<Merge> merges = sorted_merges(distances);
  std::vector<std::int64_t> parent = own_roots(items);
  for (std::int64_t k = 0; k < items - clusters; ++k) {
    const Merge& merge = merges[static_cast<std::size_t>(k)];
    parent[static_cast<std::size_t>(root_of(parent, merge.a))] = root_of(parent, merge.b);
  }
  std::vector<std::int32_t> number(static_cast<std::size_t>(items), -1);  // of the cluster with that root
  std::vector<std::int32_t> labels(static_cast<std::size_t>(items));
  std::int32_t next = 0;
  for (std::int64_t item = 0; item < items; ++item) {
    std::int32_t& of_root = number[static_cast<std::size_t>(root_of(parent, item))];
    if (of_root < 0) of_root = next++;
    labels[static_cast<std::size_t>(item)] = of_root;
  }
  return labels;
}

std::vector<std::int64_t> average_linkage_leaves(PairDistances distances) {
  const std::int64_t items = distances.items;
  const std::vector<Merge> merges = sorted_merges(distances);

  // Clusters are numbered items + 0, 1, ... by distance.
  std::vector<std::int64_t> parent = own_roots(2 * items - 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> children;
  for (const Merge& merge : merges) {
    children.push_back(std::minmax({root_of(parent, merge.a), root_of(parent, merge.b)}));
    const std::int64_t cluster = items + static_cast<std::int64_t>(children.size()) - 1;
    parent[static_cast<std::size_t>(children.back().first)] = cluster;
    parent[static_cast<std::size_t>(children.back().second)] = cluster;
  }

  std::vector<std::int64_t> leaves;
  std::vector<std::int64_t> pending;
  if (items > 0) pending.push_back(2 * items - 2);
  while (!pending.empty()) {
    const std::int64_t node = pending.back();
    pending.pop_back();
    if (node < items) {
      leaves.push_back(node);
      continue;
    }
    const auto& [left, right] = children[static_cast<std::size_t>(node - items)];
    pending.push_back(right);
    pending.push_back(left);
  }
  return leaves;
}

}  // namespace masksc
