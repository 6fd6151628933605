// Mini-batches of an epoch. The order of the cells is a permutation keyed by (seed, epoch), never by rank: a global
// batch is the same set of cells on any number of ranks, and each rank computes its slice of it. --deterministic cuts
// batches into more parts than ranks, the same ones on any number of ranks; a rank computes neighbouring ones.
//
// Every rank keeps only its rows, or reads only its part of each window (see EpochOrder), the next one in a thread of
// its own while this one is used. One all-to-all a window hands each sparse row to the rank that will compute it (a
// single rank uses its rows where they lie); batches are then made dense locally.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "masksc/data/densifier.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/dist/collectives.hpp"

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
  std::vector<float> values;            // [rows, tokens * patch_genes], patch-major; padding slots and rows are 0;
                                        // empty where the loader deals out cells alone
};

/// How a loader works.
struct LoaderSettings {
  int parts = 0;         // that a global batch is cut into, the same number of them a rank; 0: one a rank
  Shuffle shuffle = {};  // of the cells of an epoch
  bool values = true;    // false: batches name their cells and have no values, no rows move
  bool ahead = false;    // a thread makes the next batch while this one is used
};

class Loader {
 public:
  /// `expression` and `ranks` must outlive the loader.
  Loader(const Expression& expression, std::int64_t global_batch, std::uint64_t seed, ShuffleStream stream,
         Collectives& ranks, const LoaderSettings& settings = {});

  [[nodiscard]] const BatchPlan& plan() const { return plan_; }
  [[nodiscard]] std::int64_t rows() const { return part_rows_ * parts_of_rank_; }
  [[nodiscard]] const Densifier& densifier() const { return densifier_; }

  /// Equal on all ranks. Throws nothing and moves nothing: rows move when batches are asked for.
  void start_epoch(std::uint32_t epoch);
  /// Hash of the order of the cells in the epoch started last: of the cell at each position.
  [[nodiscard]] const std::string& order_hash() const { return order_hash_; }
  /// This rank's slice of the batch of `step` (from 0) of the epoch started last. A collective: the first batch of a
  /// window brings the window's rows. Throws UserError, EnvironmentError on all ranks when rows can't be read.
  [[nodiscard]] Batch batch(std::int64_t step);

 private:
  void load(std::int64_t window);
  /// Puts the rows of the window's cells_ into rows_ and row_at_. A collective.
  void move_rows(std::int64_t window, const std::vector<std::int64_t>& cells, const std::vector<std::int32_t>& rank_of,
                 const std::vector<std::int64_t>& row_of);
  /// The batch of a step of the window that is here.
  [[nodiscard]] Batch make(std::int64_t step) const;
  void begin_reading(std::int64_t window);
  /// This rank's part of the window, into rows_.
  void read_rows(std::int64_t window);
  /// What this rank holds or has read, before rows move.
  [[nodiscard]] const CsrMatrix& own_rows() const;
  /// The part of the window's sequence of blocks that this rank reads.
  [[nodiscard]] RowRange own_part(std::int64_t window) const;

  const Expression& expression_;
  Collectives& ranks_;
  BatchPlan plan_;
  EpochOrder order_;
  int parts_;
  int parts_of_rank_;
  std::int64_t part_rows_;
  Densifier densifier_;
  std::string order_hash_;
  std::int64_t window_ = -1;              // whose rows are here
  std::vector<std::int64_t> cells_;       // that this rank computes in the window, in order of position
  CsrMatrix rows_;                        // that were read or came in for it; a single rank holds its own
  std::vector<std::int64_t> row_at_;      // row of each of cells_ there
  std::vector<std::int64_t> part_start_;  // [steps * parts of a rank + 1] first of rows_ of each part of the window
  std::int64_t reading_ = -1;             // window whose part is being read
  std::future<CsrMatrix> read_;
  bool with_values_;
  bool ahead_;
  std::int64_t making_ = -1;  // step whose batch is being made
  std::future<Batch> made_;   // last: its thread looks at all of the above
};

}  // namespace masksc
