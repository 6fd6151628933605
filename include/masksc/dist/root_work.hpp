// Work of rank 0 that takes minutes while the others have nothing to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <span>
#include <thread>

#include "masksc/dist/collectives.hpp"

namespace masksc {

/// How many of `ranks` are on this rank's node. A collective.
int ranks_on_node(Collectives& ranks);

/// As on_root; but the other ranks sleep until rank 0 is done, where in MPI they would spin: the work may use their
/// cores. A collective. Throws what `work` throws, on all ranks.
template <typename Work>
void on_root_alone(Collectives& ranks, Work&& work) {
  std::exception_ptr error;
  if (ranks.is_root()) {
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
  }
  std::int64_t done = 1;
  const auto arrival = ranks.all_reduce_async(std::span(&done, 1));
  while (!arrival->test()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  on_root(ranks, [&] {
    if (error) std::rethrow_exception(error);
  });
}

}  // namespace masksc
