#include "masksc/model/device.hpp"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdlib>
#include <filesystem>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

/// Loads libtorch_cuda, whose static objects register LibTorch's CUDA operators. Returns why it can't, or "".
std::string load_cuda() {
  // The first is made when the driver is first asked for something, the last is that of Windows' Linux.
  const auto there = [](const char* path) { return std::filesystem::exists(path); };
  if (!there("/dev/nvidiactl") && !there("/proc/driver/nvidia/version") && !there("/dev/dxg"))
    return "no NVIDIA driver on this machine (neither /dev/nvidiactl nor /proc/driver/nvidia/version is there)";
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) return dlerror();
  ensure(at::detail::getCUDAHooks().isBuilt(),
         "a device is chosen before the first backward pass, which asks for CUDA");
  if (!at::hasCUDA() || at::getNumGPUs() == 0) return "LibTorch sees no GPU";
  return "";
}

void use_deterministic_kernels() {
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);  // for finding bugs; it costs time
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
}

/// LibTorch throws errors of its own where a device has no memory left, or fails.
std::optional<Failure> known_of_torch(const std::exception& error) {
  constexpr std::int32_t assertion = 710;  // of a kernel (cudaErrorAssert): what it was given is wrong, a bug
  if (const auto* full = dynamic_cast<const c10::OutOfMemoryError*>(&error))
    return Failure{ExitCode::environment,
                   fmt::format("out of memory on the GPU: use more ranks, and in training a smaller --micro-batch, "
                               "--gradient-checkpointing blocks or --data-on-device no ({})",
                               full->what_without_backtrace())};
  if (const auto* failed = dynamic_cast<const c10::AcceleratorError*>(&error);
      failed != nullptr && failed->get_error_code() != assertion)
    return Failure{ExitCode::environment,
                   fmt::format("the GPU failed: {}; start the same command again to go on from the last checkpoint, on "
                               "another GPU if that fails, too; if it fails there as well, please report it",
                               failed->what_without_backtrace())};
  if (const auto* other = dynamic_cast<const c10::Error*>(&error))  // without the frames of its stack
    return Failure{ExitCode::invariant, other->what_without_backtrace()};
  return std::nullopt;
}

}  // namespace

at::Device choose_device(const std::string& wanted, int local_rank, bool deterministic) {
  know_failures(known_of_torch);
  if (wanted == "cpu") return at::kCPU;
  if (deterministic) ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // read when cuBLAS starts
  const std::string problem = load_cuda();
  if (!problem.empty()) {
    if (wanted == "cuda")
      throw EnvironmentError(fmt::format("--device cuda: {}; use --device cpu, or a node with a GPU", problem));
    return at::kCPU;
  }
  if (deterministic) use_deterministic_kernels();
  // Its backward pass in bf16 has made gradients that are no numbers (pytorch#196678), and it plans for each new shape.
  at::globalContext().setSDPUseCuDNN(std::getenv("MASKSC_CUDNN_ATTENTION") != nullptr);
  const auto gpus = static_cast<int>(at::getNumGPUs());
  const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(local_rank % gpus));
  at::accelerator::setDeviceIndex(device.index());  // or pinned memory would make a context on the first GPU, too
  at::globalContext().lazyInitDevice(at::kCUDA);
  at::accelerator::resetPeakStats(device.index());
  return device;
}

std::optional<std::int64_t> peak_gpu_memory(at::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[0].peak;  // of all pools
}

std::string cpu_instructions() { return at::get_cpu_capability(); }

const char* torch_version() { return TORCH_VERSION; }

}  // namespace masksc
