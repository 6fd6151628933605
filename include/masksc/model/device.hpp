// Which device a rank trains on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "masksc/model/torch.hpp"

namespace masksc {

/// The device for `wanted` (auto, cpu, cuda): GPU local_rank modulo the GPUs of the node. LibTorch's CUDA half is
/// loaded only where a GPU is visible; the GPU becomes this thread's current one, and peak_gpu_memory() counts from now
/// on. Throws EnvironmentError when cuda is wanted and there is none.
///
/// `deterministic`: GPU kernels give the same bits every time from now on, on GPUs of one kind. cuBLAS gets a workspace
/// of its own a stream (CUBLAS_WORKSPACE_CONFIG, unless it is set), cuDNN looks for no fastest algorithm, and LibTorch
/// takes other kernels for what adds up with atomics: here the backward passes of gather (learned positions) and
/// of attention. It refuses, with an exception, operations that have none, such as the backward passes of adaptive
/// pooling, interpolation, reflection padding and cumulative sums in floating point; the model has none of these.
at::Device choose_device(const std::string& wanted, int local_rank, bool deterministic = false);

/// Most bytes that tensors of this process held on the GPU at once since choose_device(); nothing for a CPU.
std::optional<std::int64_t> peak_gpu_memory(at::Device device);

/// What LibTorch's kernels compute with on this processor: "AVX2", "AVX512", "DEFAULT".
std::string cpu_instructions();

/// LibTorch's version.
const char* torch_version();

}  // namespace masksc
