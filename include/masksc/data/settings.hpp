// Options of how cells reach the training: how they are shuffled, and whether they stay in memory.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/options.hpp"
#include "masksc/data/epoch_order.hpp"

namespace masksc {

struct DataSettings {
  std::string shuffle_block = "auto";   // cells that stay together on disk and in the shuffle; "all": any cell anywhere
  std::int64_t shuffle_buffer = 65536;  // cells within which blocks are mixed
  double memory_gib = 0;  // of counts that a rank may hold; 0: half of what its share of the node has free
};

void describe(OptionTable& table, DataSettings& settings);

/// Throws UserError for values out of range.
void validate(const DataSettings& settings);

/// The shuffle for data of so many counts that are not 0. By auto it is that of all cells up to 4 GiB of them, and of
/// blocks above: it depends on the data alone, never on ranks or memory, and so does the training.
Shuffle choose_shuffle(const DataSettings& settings, std::int64_t nonzeros);

/// Bytes of counts that a rank holds at most, on average over the ranks.
struct DataBytes {
  double resident = 0;  // its rows all the time
  double streamed = 0;  // a buffer at a time; what resident is where all cells are shuffled at once
};
DataBytes data_bytes(std::int64_t cells, std::int64_t nonzeros, std::int64_t ranks, const Shuffle& shuffle);

/// Whether rows stay on disk, when a rank may hold `budget` bytes. Throws UserError when they would have to and
/// `asked_for`, the budget is the user's, but all cells are shuffled at once; else a warning says so.
bool decide_streaming(const DataBytes& needed, double budget, bool asked_for, const Shuffle& shuffle);

}  // namespace masksc
