#include "masksc/data/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr double entry_bytes = sizeof(std::int32_t) + sizeof(float);
constexpr double all_at_once = double{std::int64_t{4} << 30};  // bytes of counts up to which auto shuffles all cells
constexpr std::int64_t usual_block = 256;

/// Rows are held, handed out, received and put in order: this many copies of them at the moment of the exchange.
constexpr double copies = 4;

/// 0 for text that is no number of cells.
std::int64_t parse_block(std::string_view text) { return number_of<std::int64_t>(text).value_or(0); }

}  // namespace

void describe(OptionTable& table, DataSettings& settings) {
  table.begin_group("Data");
  table.add("shuffle-block", settings.shuffle_block,
            "neighbouring cells that an epoch's order keeps together, then mixes; all: any cell anywhere; auto: all up "
            "to 4 GiB of counts, 256 above",
            "auto|all|CELLS");
  table.add("shuffle-buffer", settings.shuffle_buffer, "cells of the blocks that are mixed at a time", "CELLS");
  table.begin_group("Data", OptionRole::runtime);
  table.add("data-memory", settings.memory_gib,
            "GiB of counts a rank may hold, the rest is read from disk as needed (0: half of what is free)");
}

void validate(const DataSettings& settings) {
  const std::string& block = settings.shuffle_block;
  if (block != "auto" && block != "all" && parse_block(block) < 1)
    throw UserError(fmt::format("--shuffle-block '{}' is neither auto, all nor a number of cells", shown(block)));
  require_at_least("shuffle-buffer", settings.shuffle_buffer, 1);
  require_not_negative("data-memory", settings.memory_gib);
}

Shuffle choose_shuffle(const DataSettings& settings, std::int64_t nonzeros) {
  std::int64_t block = parse_block(settings.shuffle_block);
  if (settings.shuffle_block == "auto")
    block = static_cast<double>(nonzeros) * entry_bytes > all_at_once ? usual_block : 0;
  return block == 0 ? Shuffle{} : Shuffle{block, std::max(block, settings.shuffle_buffer)};
}

DataBytes data_bytes(std::int64_t cells, std::int64_t nonzeros, std::int64_t ranks, const Shuffle& shuffle) {
  const double cell =
      static_cast<double>(nonzeros) / static_cast<double>(std::max<std::int64_t>(cells, 1)) * entry_bytes;
  const double mine = static_cast<double>(cells) / static_cast<double>(ranks);
  if (shuffle.block == 0) return {copies * mine * cell, copies * mine * cell};
  const double window = std::min(mine, static_cast<double>(shuffle.buffer) / static_cast<double>(ranks));
  return {mine * cell + copies * window * cell,
          (copies + 1) * window * cell};  // and the next window that is being read
}

bool decide_streaming(const DataBytes& needed, double budget, bool asked_for, const Shuffle& shuffle) {
  if (needed.resident <= budget) return false;
  if (shuffle.block > 0) return true;
  const std::string what =
      fmt::format("the counts take up to {} a rank, {} {}", format_bytes(needed.resident),
                  asked_for ? "--data-memory allows" : "half of what is free is", format_bytes(budget));
  if (asked_for)
    throw UserError(fmt::format("{}, and --shuffle-block all needs them all: take --shuffle-block {}, or more ranks",
                                what, usual_block));
  log::warning("{}; with --shuffle-block {} they can stay on disk", what, usual_block);
  return false;
}

}  // namespace masksc
