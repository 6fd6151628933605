#include "masksc/cluster/order.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>

namespace masksc {

std::vector<std::int64_t> cluster_sizes(std::span<const std::int32_t> local_labels, std::int64_t clusters,
                                        Collectives& ranks) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(clusters));
  for (const std::int32_t label : local_labels) ++sizes[static_cast<std::size_t>(label)];
  ranks.all_reduce(std::span(sizes));
  return sizes;
}

std::vector<std::int32_t> number_by_size(std::vector<std::int32_t>& local_labels, Collectives& ranks) {
  const auto highest = std::max_element(local_labels.begin(), local_labels.end());
  const std::int32_t clusters = ranks.all_reduce(highest == local_labels.end() ? 0 : *highest + 1, ReduceOp::max);
  const std::vector<std::int64_t> sizes = cluster_sizes(local_labels, clusters, ranks);
  std::vector<std::int32_t> old_of_new(sizes.size());
  std::iota(old_of_new.begin(), old_of_new.end(), 0);
  std::stable_sort(old_of_new.begin(), old_of_new.end(), [&](std::int32_t a, std::int32_t b) {
    return sizes[static_cast<std::size_t>(a)] > sizes[static_cast<std::size_t>(b)];
  });
  std::vector<std::int32_t> new_of_old(sizes.size());
  for (std::size_t n = 0; n < old_of_new.size(); ++n) {
    new_of_old[static_cast<std::size_t>(old_of_new[n])] = static_cast<std::int32_t>(n);
  }
  for (std::int32_t& label : local_labels) label = new_of_old[static_cast<std::size_t>(label)];
  return old_of_new;
}

Labels name_clusters(std::vector<std::int32_t> codes, std::int64_t clusters) {
  Labels labels;
  labels.codes = std::move(codes);
  for (std::int64_t c = 0; c < clusters; ++c) labels.names.push_back(std::to_string(c));
  return labels;
}

}  // namespace masksc
