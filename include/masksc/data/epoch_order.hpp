// The order of the cells in an epoch: a permutation keyed by (seed, epoch), never by rank.
//
// Either of all cells at once, or in blocks, so that cells which lie together on disk are read together: blocks of
// neighbouring cells are put in random order, and the cells of each window of this sequence in random order again. A
// window is a number of whole batches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

/// Which training's orders: stages 1 and 2 shuffle apart.
enum class ShuffleStream : std::uint32_t { training = 0, sequence = 1 };

struct Shuffle {
  std::int64_t block = 0;   // cells of a block; 0: all cells at once
  std::int64_t buffer = 0;  // cells of a window, about
};

/// How the cells of an epoch are cut into batches: `steps` nearly equal slices, so that no batch is ragged by more than
/// one cell and every cell is used exactly once an epoch.
struct BatchPlan {
  std::int64_t cells = 0;
  std::int64_t steps = 0;
  BatchPlan(std::int64_t cell_count, std::int64_t global_batch);
  /// Positions of the epoch's permutation that make up the batch of `step` (from 0).
  [[nodiscard]] RowRange batch(std::int64_t step) const { return {cells * step / steps, cells * (step + 1) / steps}; }
  /// Steps of a training; max_steps 0: all epochs.
  [[nodiscard]] std::int64_t total_steps(std::int64_t epochs, std::int64_t max_steps) const;
  /// Positions of part `part` of `parts` of the batch of `step`: what a rank computes, when there are as many parts as
  /// ranks.
  [[nodiscard]] RowRange slice(std::int64_t step, int part, int parts) const;
  /// Static row count of a part: the largest of any part at any step.
  [[nodiscard]] std::int64_t padded_rows(int parts) const;
};

class EpochOrder {
 public:
  EpochOrder(const BatchPlan& plan, const Shuffle& shuffle, std::uint64_t seed, ShuffleStream stream);

  void start(std::uint32_t epoch);
  [[nodiscard]] std::int64_t windows() const { return windows_; }
  [[nodiscard]] std::int64_t window_of(std::int64_t step) const;
  /// Steps of the window.
  [[nodiscard]] RowRange steps(std::int64_t window) const;
  /// Positions of the epoch that the window has.
  [[nodiscard]] RowRange positions(std::int64_t window) const;

  /// Where the `count` positions of a window come from: entry i is the place in the window's sequence of blocks.
  [[nodiscard]] std::vector<std::int64_t> permutation(std::int64_t window) const;
  /// The cells at places [part.begin, part.end) of the window's sequence of blocks, as ranges of neighbours.
  [[nodiscard]] std::vector<RowRange> sequence(std::int64_t window, RowRange part) const;
  /// The cell at each position of the window.
  [[nodiscard]] std::vector<std::int64_t> cells(std::int64_t window) const;
  /// Of the cell at each position of the epoch.
  [[nodiscard]] std::string hash() const;

 private:
  BatchPlan plan_;
  Shuffle shuffle_;
  std::uint64_t seed_;
  std::uint32_t stream_;
  std::int64_t windows_ = 1;
  std::int64_t blocks_ = 0;
  std::uint32_t epoch_ = 0;
  std::vector<std::int64_t> order_;         // of all cells, or of the blocks
  std::vector<std::int64_t> block_starts_;  // place in the epoch's sequence of each block of order_, and the end
};

}  // namespace masksc
