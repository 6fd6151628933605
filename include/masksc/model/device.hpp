// Which device a rank trains on.
#pragma once

#include <string>

#include "masksc/model/torch.hpp"

namespace masksc {

/// The device for `wanted` (auto, cpu, cuda): GPU local_rank modulo the GPUs of the node. LibTorch's CUDA half is
/// loaded only where a GPU is visible. Throws EnvironmentError when cuda is wanted and there is none.
at::Device choose_device(const std::string& wanted, int local_rank);

}  // namespace masksc
