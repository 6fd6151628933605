// What a GPU is called, asked of its driver.
#pragma once

#include <string>

namespace masksc {

/// "NVIDIA H200" and the like of the visible device number `device`; "" without a driver or such a device.
std::string gpu_name(int device);

}  // namespace masksc
