#include "masksc/dist/gpu_place.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

namespace masksc {
namespace {

GpuPlace find_gpu(const NcclApi& api, int device) {
  const auto check = [&](int code, const char* call) {
    if (code != cuda::success)
      throw EnvironmentError(fmt::format("GPU {}: {} failed: {}", device, call, api.cuda_get_error_string(code)));
  };
  GpuPlace place;
  place.device = device;
  check(api.cuda_set_device(device), "cudaSetDevice");
  check(api.cuda_get_device_count(&place.visible), "cudaGetDeviceCount");
  check(api.cuda_device_get_pci_bus_id(place.bus.data(), static_cast<int>(place.bus.size()), device),
        "cudaDeviceGetPCIBusId");
  gethostname(place.host.data(), place.host.size() - 1);
  std::ifstream("/proc/sys/kernel/random/boot_id").read(place.boot.data(), place.boot.size() - 1);
  return place;
}

}  // namespace

std::vector<GpuPlace> gather_gpus(const NcclApi& api, Collectives& world, int device) {
  GpuPlace mine;
  together(world, [&] { mine = find_gpu(api, device); });
  std::vector<GpuPlace> places(static_cast<std::size_t>(world.size()));
  world.all_gather(std::span(reinterpret_cast<const std::uint8_t*>(&mine), sizeof(mine)),
                   std::span(reinterpret_cast<std::uint8_t*>(places.data()), places.size() * sizeof(mine)));
  return places;
}

std::string describe_shared_gpu(std::span<const GpuPlace> places) {
  for (std::size_t b = 0; b < places.size(); ++b)
    for (std::size_t a = 0; a < b; ++a) {
      const GpuPlace& first = places[a];
      const GpuPlace& second = places[b];
      if (first.host != second.host || first.boot != second.boot || first.bus != second.bus) continue;
      return fmt::format(
          "ranks {} and {} share GPU {} ({}) of node {}: NCCL needs one GPU a rank; start at most {} rank{} a node, or "
          "use --collectives mpi",
          a, b, first.device, first.bus.data(), first.host.data(), first.visible, first.visible == 1 ? "" : "s");
    }
  return "";
}

}  // namespace masksc
