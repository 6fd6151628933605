#include "masksc/dist/gpu_name.hpp"

#include <dlfcn.h>

#include <array>
#include <memory>

namespace masksc {
namespace {

// Of the driver's API (cuda.h): 0 is success, devices are numbers.
using Init = int (*)(unsigned int flags);
using DeviceGet = int (*)(int* device, int ordinal);
using DeviceGetName = int (*)(char* name, int length, int device);

template <typename Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

std::string gpu_name(int device) {
  const auto close = [](void* library) { ::dlclose(library); };
  const std::unique_ptr<void, decltype(close)> driver(::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL), close);
  if (!driver) return "";
  const auto init = find<Init>(driver.get(), "cuInit");
  const auto get = find<DeviceGet>(driver.get(), "cuDeviceGet");
  const auto name_of = find<DeviceGetName>(driver.get(), "cuDeviceGetName");
  std::array<char, 256> name{};
  int handle = 0;
  const bool found = init != nullptr && get != nullptr && name_of != nullptr && init(0) == 0 &&
                     get(&handle, device) == 0 && name_of(name.data(), static_cast<int>(name.size()) - 1, handle) == 0;
  return found ? name.data() : "";
}

}  // namespace masksc
