#include "ward.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace masksc::detail {
namespace {

/// Grows a chain of nearest neighbours until its last two are each other's nearest, merges these, goes on with the
/// rest.
class WardChain {
 public:
  explicit WardChain(const DenseMatrix& rows)
      : columns_(static_cast<std::size_t>(rows.columns)),
        means_(rows.values.begin(), rows.values.end()),
        size_(static_cast<std::size_t>(rows.rows), 1),
        alive_(static_cast<std::size_t>(rows.rows)) {
    std::iota(alive_.begin(), alive_.end(), std::size_t{0});
  }

  WardMerge merge_next() {
    if (chain_.empty()) chain_.push_back(alive_.front());
    for (;;) {
      const std::size_t tip = chain_.back();
      // On equal distances the link before wins: the chain cannot run in circles.
      const bool linked = chain_.size() > 1;
      std::size_t nearest = linked ? chain_[chain_.size() - 2] : tip;
      double least = linked ? squared_height(tip, nearest) : std::numeric_limits<double>::infinity();
      for (const std::size_t other : alive_) {
        if (other == tip) continue;
        const double height = squared_height(tip, other);
        if (height < least) {
          least = height;
          nearest = other;
        }
      }
      if (linked && nearest == chain_[chain_.size() - 2]) return merge(tip, nearest, least);
      chain_.push_back(nearest);
    }
  }

 private:
  [[nodiscard]] double squared_height(std::size_t a, std::size_t b) const {
    double squares = 0;
    for (std::size_t c = 0; c < columns_; ++c) {
      const double difference = means_[a * columns_ + c] - means_[b * columns_ + c];
      squares += difference * difference;
    }
    return 2 * size_[a] * size_[b] / (size_[a] + size_[b]) * squares;
  }

  /// The merged cluster lives on as the lower of the two.
  WardMerge merge(std::size_t a, std::size_t b, double squared) {
    if (b < a) std::swap(a, b);
    chain_.resize(chain_.size() - 2);
    const double both = size_[a] + size_[b];
    for (std::size_t c = 0; c < columns_; ++c) {
      double& mean = means_[a * columns_ + c];
      mean = (size_[a] * mean + size_[b] * means_[b * columns_ + c]) / both;
    }
    size_[a] = both;
    alive_.erase(std::lower_bound(alive_.begin(), alive_.end(), b));
    return {static_cast<std::int64_t>(a), static_cast<std::int64_t>(b), std::sqrt(squared)};
  }

  std::size_t columns_;
  std::vector<double> means_;  // [rows, columns], of the cluster that the row stands for
  std::vector<double> size_;
  std::vector<std::size_t> alive_;  // rows that stand for a cluster, ascending
  std::vector<std::size_t> chain_;
};

std::size_t root_of(std::vector<std::size_t>& parent, std::size_t node) {
  while (parent[node] != node) {
    parent[node] = parent[parent[node]];
    node = parent[node];
  }
  return node;
}

}  // namespace

std::vector<WardMerge> ward_merges(const DenseMatrix& rows, const std::function<void()>& poll) {
  std::vector<WardMerge> merges;
  WardChain chain(rows);
  for (std::int64_t done = 0; done + 1 < rows.rows; ++done) {
    poll();
    merges.push_back(chain.merge_next());
  }
  std::stable_sort(merges.begin(), merges.end(),
                   [](const WardMerge& a, const WardMerge& b) { return a.height < b.height; });
  return merges;
}

std::vector<std::int32_t> cut_tree(const std::vector<WardMerge>& merges, std::int64_t clusters) {
  const std::size_t rows = merges.size() + 1;
  std::vector<std::size_t> parent(rows);
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  for (std::size_t i = 0; i + static_cast<std::size_t>(clusters) < rows; ++i) {
    const std::size_t one = root_of(parent, static_cast<std::size_t>(merges[i].one));
    const std::size_t other = root_of(parent, static_cast<std::size_t>(merges[i].other));
    parent[std::max(one, other)] = std::min(one, other);
  }
  std::vector<std::int32_t> labels(rows, -1);
  std::int32_t next = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t root = root_of(parent, row);  // the first row of its cluster
    labels[row] = root == row ? next++ : labels[root];
  }
  return labels;
}

std::vector<double> calinski_harabasz(const std::vector<WardMerge>& merges, std::int64_t most) {
  const auto rows = static_cast<std::int64_t>(merges.size()) + 1;
  double total = 0;
  for (const WardMerge& merge : merges) total += merge.height * merge.height / 2;
  std::vector<double> index(1, 0.0);
  double within = total;
  for (std::int64_t clusters = 2; clusters <= most; ++clusters) {
    const double height = merges[static_cast<std::size_t>(rows - clusters)].height;
    within -= height * height / 2;
    const double between = (total - within) / static_cast<double>(clusters - 1);
    index.push_back(within > 0 ? between / (within / static_cast<double>(rows - clusters)) : 0);
  }
  return index;
}

}  // namespace masksc::detail
