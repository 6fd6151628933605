#include "masksc/run/place.hpp"

#include <thread>

#include "masksc/core/log.hpp"
#include "masksc/model/threads.hpp"

namespace masksc {

void use_cores(std::int64_t threads, const RunPlace& place) {
  if (const auto there = static_cast<std::int64_t>(std::thread::hardware_concurrency());
      there > 0 && threads > there && place.ranks.is_root())
    log::warning("--threads {}: this machine has {} cores, which more threads only share", threads, there);
  set_compute_threads(threads > 0 ? static_cast<int>(threads) : place.cores_per_rank);
}

}  // namespace masksc
