#include "nccl_choice.hpp"

#include <fmt/format.h>

#include <chrono>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/gpu_place.hpp"

namespace masksc {
namespace {

[[noreturn]] void refuse_nccl() { throw UserError("--collectives nccl needs a GPU on every rank; use mpi, or auto"); }

}  // namespace

void check_nccl(const RunSettings& settings, at::Device device) {
  if (settings.collectives == "nccl" && !device.is_cuda()) refuse_nccl();
}

std::unique_ptr<NcclCollectives> choose_nccl(const RunSettings& settings, at::Device device, Collectives& ranks) {
  const std::string& wanted = settings.collectives;
  const bool all_cuda = ranks.all_reduce(std::int32_t{device.is_cuda() ? 1 : 0}, ReduceOp::min) == 1;
  if (wanted == "nccl" && !all_cuda) refuse_nccl();
  if (wanted == "mpi" || !all_cuda || (wanted == "auto" && ranks.size() == 1)) return nullptr;
  const NcclApi api = load_nccl_api();
  if (wanted == "auto") {  // with nccl wanted NcclCollectives refuses shared GPUs
    const std::string shared = describe_shared_gpu(gather_gpus(api, ranks, device.index()));
    if (!shared.empty()) {
      log::warning("{}; gradients travel by MPI", shared);
      return nullptr;
    }
  }
  auto nccl = std::make_unique<NcclCollectives>(
      api, ranks, NcclOptions{.device = device.index(), .timeout = std::chrono::seconds(settings.collective_timeout)});
  log::info("gradients travel by NCCL {}", nccl->version());
  return nccl;
}

}  // namespace masksc
