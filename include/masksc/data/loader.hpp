// Mini-batches of an epoch. The order of the cells is a permutation keyed by (seed, epoch), never by rank: a global
// batch is the same set of cells on any number of ranks, and each rank computes its slice of it. --deterministic cuts
// batches into more parts than ranks, the same ones on any number of ranks; a rank computes neighbouring ones.
//
// Every rank keeps only its rows. At the start of an epoch one all-to-all hands each sparse row to the rank that will
// compute it; batches are then made dense locally.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/random.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace masksc {

/// One rank's parts of a global batch, one after the other, each padded to a static number of rows with rows of weight
/// 0.
struct Batch {
  std::int64_t rows = 0;                // padded rows, the same at every step and on every rank
  std::int64_t part_rows = 0;           // those of a part
  std::int64_t real = 0;                // rows that hold a cell, of all parts
  std::vector<std::int64_t> part_real;  // of each part; they come first in it
  std::int64_t global_cells = 0;        // cells of the global batch
  std::vector<std::int64_t> cells;      // [rows] global cell, -1 for padding
  std::vector<float> weights;           // [rows] 1 or 0
  std::vector<float> values;            // [rows, tokens * patch_genes], patch-major; padding slots and rows are 0
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
  /// The step whose batch holds `position`.
  [[nodiscard]] std::int64_t step_of(std::int64_t position) const;
  /// Positions of part `part` of `parts` of the batch of `step`: what a rank computes, when there are as many parts as
  /// ranks.
  [[nodiscard]] RowRange slice(std::int64_t step, int part, int parts) const;
  /// Static row count of a part: the largest of any part at any step.
  [[nodiscard]] std::int64_t padded_rows(int parts) const;
};

/// Makes sparse log-normalised rows dense in the slots of the matrix layout, standardised and clipped.
class Densifier {
 public:
  explicit Densifier(const Expression& expression);
  /// Floats of a dense row: tokens that hold genes * genes of a patch.
  [[nodiscard]] std::int64_t width() const { return static_cast<std::int64_t>(zero_row_.size()); }
  /// Fills `out` [width] from one sparse row.
  void fill(std::span<const std::int32_t> indices, std::span<const float> values, std::span<float> out) const;

 private:
  std::vector<float> zero_row_;  // [width] a cell without counts
  std::vector<std::int32_t> slot_of_column_;
  GeneScaling scaling_;
};

class Loader {
 public:
  /// `expression` and `ranks` must outlive the loader. `stage` tells apart the orders of two stages. A batch is cut
  /// into `parts`, the same number of them a rank; 0: one a rank.
  Loader(const Expression& expression, std::int64_t global_batch, std::uint64_t seed, std::uint32_t stage,
         Collectives& ranks, int parts = 0);

  [[nodiscard]] const BatchPlan& plan() const { return plan_; }
  [[nodiscard]] std::int64_t rows() const { return part_rows_ * parts_of_rank_; }
  [[nodiscard]] const Densifier& densifier() const { return densifier_; }

  /// Hands out the rows of `epoch`. A collective.
  void start_epoch(std::uint32_t epoch);
  /// Hash of the order of the cells in the epoch started last: of the cell at each position.
  [[nodiscard]] const std::string& order_hash() const { return order_hash_; }
  /// This rank's slice of the batch of `step` (from 0) of the epoch started last.
  [[nodiscard]] Batch batch(std::int64_t step) const;

 private:
  const Expression& expression_;
  Collectives& ranks_;
  BatchPlan plan_;
  int parts_;
  int parts_of_rank_;
  std::int64_t part_rows_;
  std::uint64_t seed_;
  std::uint32_t stage_;
  Densifier densifier_;
  std::string order_hash_;
  CsrMatrix epoch_rows_;                   // rows this rank computes this epoch, in order of position
  std::vector<std::int64_t> epoch_cells_;  // their global cells
  std::vector<std::int64_t> part_start_;   // [steps * parts of a rank + 1] first of epoch_rows_ of each part
};

}  // namespace masksc
