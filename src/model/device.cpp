#include "masksc/model/device.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

/// Loads libtorch_cuda, whose static objects register LibTorch's CUDA operators. Returns why it can't, or "".
std::string load_cuda() {
  if (!std::filesystem::exists("/dev/nvidiactl"))
    return "no NVIDIA driver on this machine (/dev/nvidiactl is not there)";
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) return dlerror();
  if (!at::hasCUDA() || at::getNumGPUs() == 0) return "LibTorch sees no GPU";
  return "";
}

}  // namespace

at::Device choose_device(const std::string& wanted, int local_rank) {
  if (wanted == "cpu") return at::kCPU;
  const std::string problem = load_cuda();
  if (!problem.empty()) {
    if (wanted == "cuda")
      throw EnvironmentError(fmt::format("--device cuda: {}; use --device cpu, or a node with a GPU", problem));
    return at::kCPU;
  }
  const auto gpus = static_cast<int>(at::getNumGPUs());
  return {at::kCUDA, static_cast<at::DeviceIndex>(local_rank % gpus)};
}

}  // namespace masksc
