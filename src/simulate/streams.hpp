// The random streams of a simulation: one a gene, one a group and gene, one a cell.
#pragma once

#include <cstdint>

#include "masksc/core/random.hpp"

namespace masksc {

enum class SimulationStream : std::uint32_t { gene, factor, cell, group, order };

/// `which` tells apart streams of one kind and item: the group of a factor, the round of a permutation.
inline RandomStream simulation_stream(std::uint64_t seed, SimulationStream kind, std::uint64_t item,
                                      std::uint32_t which = 0) {
  return {seed, Purpose::simulate, which, item, static_cast<std::uint32_t>(kind)};
}

}  // namespace masksc
