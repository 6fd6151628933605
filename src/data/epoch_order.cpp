#include "masksc/data/epoch_order.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/random.hpp"

namespace masksc {

BatchPlan::BatchPlan(std::int64_t cell_count, std::int64_t global_batch)
    : cells(cell_count), steps((cell_count + global_batch - 1) / global_batch) {}

std::int64_t BatchPlan::total_steps(std::int64_t epochs, std::int64_t max_steps) const {
  const std::int64_t most = max_steps > 0 ? max_steps : std::numeric_limits<std::int64_t>::max();
  return epochs > most / steps ? most : epochs * steps;  // which does not overflow
}

RowRange BatchPlan::slice(std::int64_t step, int part, int parts) const {
  const RowRange whole = batch(step);
  const RowRange slice = rows_of_rank(whole.size(), part, parts);
  return {whole.begin + slice.begin, whole.begin + slice.end};
}

std::int64_t BatchPlan::padded_rows(int parts) const {
  const std::int64_t largest_batch = (cells + steps - 1) / steps;
  return (largest_batch + parts - 1) / parts;
}

EpochOrder::EpochOrder(const BatchPlan& plan, const Shuffle& shuffle, std::uint64_t seed, ShuffleStream stream)
    : plan_(plan), shuffle_(shuffle), seed_(seed), stream_(static_cast<std::uint32_t>(stream)) {
  if (shuffle.block == 0) return;
  blocks_ = (plan.cells + shuffle.block - 1) / shuffle.block;
  const std::int64_t buffer = std::max(shuffle.block, shuffle.buffer);
  windows_ = std::clamp<std::int64_t>((plan.cells + buffer - 1) / buffer, 1, plan.steps);
}

std::int64_t EpochOrder::window_of(std::int64_t step) const {
  std::int64_t window = std::min(step * windows_ / plan_.steps, windows_ - 1);
  while (steps(window).end <= step) ++window;
  while (steps(window).begin > step) --window;
  return window;
}

RowRange EpochOrder::steps(std::int64_t window) const {
  return {plan_.steps * window / windows_, plan_.steps * (window + 1) / windows_};
}

RowRange EpochOrder::positions(std::int64_t window) const {
  const RowRange range = steps(window);
  return {plan_.batch(range.begin).begin, plan_.batch(range.end - 1).end};
}

void EpochOrder::start(std::uint32_t epoch) {
  epoch_ = 2 * epoch + stream_;
  order_ = random_permutation(blocks_ > 0 ? blocks_ : plan_.cells, seed_, Purpose::permutation, epoch_);
  if (blocks_ == 0) return;
  block_starts_ = {0};
  for (const std::int64_t block : order_)
    block_starts_.push_back(block_starts_.back() + plan_.cells * (block + 1) / blocks_ - plan_.cells * block / blocks_);
}

std::vector<std::int64_t> EpochOrder::permutation(std::int64_t window) const {
  const std::int64_t count = positions(window).size();
  if (blocks_ > 0)
    return random_permutation(count, seed_, Purpose::permutation, epoch_, static_cast<std::uint64_t>(window) + 1);
  std::vector<std::int64_t> same(static_cast<std::size_t>(count));
  std::iota(same.begin(), same.end(), std::int64_t{0});
  return same;
}

std::vector<RowRange> EpochOrder::sequence(std::int64_t window, RowRange part) const {
  const std::int64_t first = positions(window).begin;
  std::vector<RowRange> ranges;
  if (blocks_ == 0) {
    for (std::int64_t place = first + part.begin; place < first + part.end; ++place) {
      const std::int64_t cell = order_[static_cast<std::size_t>(place)];
      ranges.push_back({cell, cell + 1});
    }
    return ranges;
  }
  const RowRange wanted{first + part.begin, first + part.end};
  auto at = std::upper_bound(block_starts_.begin(), block_starts_.end(), wanted.begin) - 1;
  for (std::int64_t place = wanted.begin; place < wanted.end; ++at) {
    const std::int64_t block = order_[static_cast<std::size_t>(at - block_starts_.begin())];
    const std::int64_t end = std::min(*(at + 1), wanted.end);
    const std::int64_t cell = plan_.cells * block / blocks_ + (place - *at);
    ranges.push_back({cell, cell + end - place});
    place = end;
  }
  return ranges;
}

std::vector<std::int64_t> EpochOrder::cells(std::int64_t window) const {
  std::vector<std::int64_t> in_sequence;
  for (const RowRange& range : sequence(window, {0, positions(window).size()}))
    for (std::int64_t cell = range.begin; cell < range.end; ++cell) in_sequence.push_back(cell);
  if (blocks_ == 0) return in_sequence;
  std::vector<std::int64_t> shuffled;
  for (const std::int64_t place : permutation(window)) shuffled.push_back(in_sequence[static_cast<std::size_t>(place)]);
  return shuffled;
}

std::string EpochOrder::hash() const {
  Hasher hasher;
  for (std::int64_t window = 0; window < windows_; ++window) {
    const std::vector<std::int64_t> some = cells(window);
    hasher.add(std::span<const std::int64_t>(some));
  }
  return hasher.hex();
}

}  // namespace masksc
