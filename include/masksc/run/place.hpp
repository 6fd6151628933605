// The ranks of a run, and what this one has for itself.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/dist/collectives.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

struct RunPlace {
  Collectives& ranks;      // all of the program's, or a part of them
  int local_rank = 0;      // among the program's ranks on this node: which GPU it takes
  int local_size = 1;      // the program's ranks on this node, which share its memory
  int cores_per_rank = 1;  // threads where --threads does not say

  /// This rank's place among a part of the ranks.
  [[nodiscard]] RunPlace with(Collectives& part) const { return {part, local_rank, local_size, cores_per_rank}; }
};

/// All ranks of a program.
inline RunPlace place_of(Runtime& runtime) {
  return {runtime.world(), runtime.local_rank(), runtime.local_size(), runtime.cores_per_rank()};
}

/// From now on this rank computes with so many `threads`, or where that is 0 with its cores.
void use_cores(std::int64_t threads, const RunPlace& place);

/// The device of this rank for `wanted` (--device; see choose_device). A collective. Throws EnvironmentError when auto
/// finds a GPU for some ranks and none for others, which would be as fast as the slowest; warns where the processors of
/// ranks round otherwise, so that their copies of the weights differ in the last bits.
at::Device choose_device(const std::string& wanted, const RunPlace& place, bool deterministic = false);

}  // namespace masksc
