#include "masksc/run/place.hpp"

#include <fmt/format.h>

#include <thread>

#include "masksc/core/error.hpp"
#include "masksc/core/host.hpp"
#include "masksc/core/log.hpp"
#include "masksc/model/device.hpp"
#include "masksc/model/threads.hpp"

namespace masksc {
namespace {

/// LibTorch's kernels round otherwise where a processor has no fused multiply-add; those for AVX2 and AVX512 agree.
void warn_of_mixed_processors(Collectives& ranks) {
  const std::string mine = cpu_instructions();
  const auto has_fused = [](const std::string& name) { return name == "AVX2" || name == "AVX512"; };
  const std::string of_rank_zero = of_root(ranks, [&] { return mine; });
  const int first = ranks.all_reduce(
      std::int32_t{mine == of_rank_zero || (has_fused(mine) && has_fused(of_rank_zero)) ? ranks.size() : ranks.rank()},
      ReduceOp::min);
  if (first == ranks.size()) return;
  const std::string other = broadcast_text(ranks, fmt::format("{} on host {}", mine, host_name()), first);
  if (ranks.is_root())
    log::warning(
        "rank {} computes with {}, rank 0 with {}: copies of the weights differ by rounding until the end "
        "of a training; with ATEN_CPU_CAPABILITY=default in the environment of all ranks they do not",
        first, other, mine);
}

}  // namespace

void use_cores(std::int64_t threads, const RunPlace& place) {
  if (const auto there = static_cast<std::int64_t>(std::thread::hardware_concurrency());
      there > 0 && threads > there && place.ranks.is_root())
    log::warning("--threads {}: this machine has {} cores, which more threads only share", threads, there);
  set_compute_threads(threads > 0 ? static_cast<int>(threads) : place.cores_per_rank);
}

at::Device choose_device(const std::string& wanted, const RunPlace& place, bool deterministic) {
  Collectives& ranks = place.ranks;
  at::Device device(at::kCPU);
  together(ranks, [&] { device = choose_device(wanted, place.local_rank, deterministic); });
  const bool any_gpu = ranks.all_reduce(std::int32_t{device.is_cuda() ? 1 : 0}, ReduceOp::max) == 1;
  together(ranks, [&] {
    if (any_gpu && !device.is_cuda())
      throw EnvironmentError(
          "--device auto: this rank finds no GPU, and others have one; start all ranks where there are GPUs, or all on "
          "CPUs with --device cpu");
  });
  if (!any_gpu) warn_of_mixed_processors(ranks);
  return device;
}

}  // namespace masksc
