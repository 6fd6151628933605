#include "seeding.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>

#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"
#include "tile_kernels.hpp"

namespace masksc::detail {
namespace {

constexpr std::size_t block = 1024;  // rows whose weights are summed up for the draws

/// Squared distance of each local row to the nearest centre so far, and its weight in the draws.
class Weights {
 public:
  explicit Weights(const TiledRows& data)
      : data_(data), nearest_(static_cast<std::size_t>(data.rows), std::numeric_limits<float>::max()) {}

  /// Takes the centre whose distances to the local rows are `squared`. A collective.
  void take(std::span<const float> squared, Collectives& ranks) {
    float largest = 0;
    for (std::size_t r = 0; r < nearest_.size(); ++r) {
      nearest_[r] = std::min(nearest_[r], squared[r]);
      largest = std::max(largest, nearest_[r]);
    }
    largest = ranks.all_reduce(largest, ReduceOp::max);
    scale_ = weight_scale(static_cast<double>(largest), data_.cells);
    blocks_.assign((nearest_.size() + block - 1) / block, 0);
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      const std::size_t end = std::min((b + 1) * block, nearest_.size());
      for (std::size_t r = b * block; r < end; ++r) blocks_[b] += weight(r);
    }
    const std::int64_t mine = std::accumulate(blocks_.begin(), blocks_.end(), std::int64_t{0});
    of_rank_.resize(static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(std::span<const std::int64_t>(&mine, 1), std::span(of_rank_));
    total_ = std::accumulate(of_rank_.begin(), of_rank_.end(), std::int64_t{0});
  }

  [[nodiscard]] std::int64_t total() const { return total_; }

  /// The total weight of the local rows if the centre at distances `squared` were taken.
  [[nodiscard]] std::int64_t total_with(std::span<const float> squared) const {
    std::int64_t sum = 0;
    for (std::size_t r = 0; r < nearest_.size(); ++r) {
      sum += round_to_integer(static_cast<double>(std::min(nearest_[r], squared[r])) * scale_);
    }
    return sum;
  }

  /// The global row on which the weight number `target` (below total) falls. Known to its owner; 0 on other ranks.
  [[nodiscard]] std::int64_t locate(std::int64_t target, const Collectives& ranks) const {
    for (int r = 0; r < ranks.rank(); ++r) target -= of_rank_[static_cast<std::size_t>(r)];
    if (target < 0 || target >= of_rank_[static_cast<std::size_t>(ranks.rank())]) return 0;
    std::size_t b = 0;
    while (target >= blocks_[b]) target -= blocks_[b++];
    std::size_t row = b * block;
    while (target >= weight(row)) target -= weight(row++);
    return data_.first + static_cast<std::int64_t>(row);
  }

 private:
  [[nodiscard]] std::int64_t weight(std::size_t row) const {
    return round_to_integer(static_cast<double>(nearest_[row]) * scale_);
  }

  const TiledRows& data_;
  std::vector<float> nearest_;
  double scale_ = 0;
  std::vector<std::int64_t> blocks_;   // weight of each block of local rows
  std::vector<std::int64_t> of_rank_;  // weight of each rank
  std::int64_t total_ = 0;
};

/// Squared distances [candidates, stride] of all local rows to the candidates.
std::vector<float> distances_to(const TiledRows& data, const std::vector<float>& candidates, std::int64_t count,
                                std::int64_t stride) {
  const PackedCentres packed = pack_centres(candidates, count, data.columns);
  std::vector<float> squared(static_cast<std::size_t>(packed.groups * centre_group * stride));
  for_blocks_of_tiles(data, [&](std::int64_t begin, std::int64_t end, int /*thread*/) {
    for (std::int64_t t = begin; t < end; ++t)
      squared_distances(data.tile(t), data.columns, packed, stride, squared.data() + t * tile_rows);
  });
  return squared;
}

/// Draws `trials` candidates; any rows, evenly, when all rows lie on the centres already. A collective.
std::vector<std::int64_t> draw_candidates(const Weights& weights, std::int64_t trials, RandomStream& random,
                                          std::int64_t cells, Collectives& ranks) {
  std::vector<std::int64_t> candidates(static_cast<std::size_t>(trials));
  if (weights.total() == 0) {
    for (auto& row : candidates) row = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(cells)));
    return candidates;
  }
  for (auto& row : candidates) {
    const auto target = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(weights.total())));
    row = weights.locate(target, ranks);
  }
  ranks.all_reduce(std::span(candidates));
  return candidates;
}

}  // namespace

std::vector<float> fetch_rows(const TiledRows& data, const std::vector<std::int64_t>& wanted, Collectives& ranks) {
  std::vector<float> rows(wanted.size() * static_cast<std::size_t>(data.columns));
  for (std::size_t w = 0; w < wanted.size(); ++w) {
    const std::int64_t r = wanted[w] - data.first;
    if (r < 0 || r >= data.rows) continue;
    float* to = rows.data() + static_cast<std::int64_t>(w) * data.columns;
    for (std::int64_t f = 0; f < data.columns; ++f) to[f] = data.row(r)[f * tile_rows];
  }
  ranks.all_reduce(std::span(rows));  // one owner a row, zeros from the others: exact
  return rows;
}

std::vector<float> draw_centres(const TiledRows& data, std::int64_t clusters, std::uint64_t seed, std::uint32_t restart,
                                Collectives& ranks, const std::function<void()>& poll) {
  const auto trials = static_cast<std::int64_t>(2 + std::floor(std::log(static_cast<double>(clusters))));
  const std::int64_t stride = data.tiles() * tile_rows;
  Weights weights(data);
  std::vector<float> centres;
  for (std::int64_t centre = 0; centre < clusters; ++centre) {
    if (poll) poll();
    RandomStream random(seed, Purpose::kmeans, restart, static_cast<std::uint64_t>(centre));
    std::vector<std::int64_t> candidates;
    if (centre == 0) {
      candidates = {static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(data.cells)))};
    } else {
      candidates = draw_candidates(weights, trials, random, data.cells, ranks);
    }
    const auto rows = fetch_rows(data, candidates, ranks);
    const auto squared = distances_to(data, rows, std::ssize(candidates), stride);
    const auto of = [&](std::size_t c) {
      return std::span(squared).subspan(c * static_cast<std::size_t>(stride), static_cast<std::size_t>(stride));
    };
    std::vector<std::int64_t> totals(candidates.size());
    if (candidates.size() > 1) {
      for (std::size_t c = 0; c < totals.size(); ++c) totals[c] = weights.total_with(of(c));
      ranks.all_reduce(std::span(totals));
    }
    const auto best = static_cast<std::size_t>(std::min_element(totals.begin(), totals.end()) - totals.begin());
    weights.take(of(best), ranks);
    const auto from = rows.begin() + static_cast<std::ptrdiff_t>(best) * data.columns;
    centres.insert(centres.end(), from, from + data.columns);
  }
  return centres;
}

}  // namespace masksc::detail
