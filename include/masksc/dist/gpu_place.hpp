// Which GPU each rank has: NCCL wants one a rank.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/dist/nccl_api.hpp"

namespace masksc {

/// Of fixed size, so that ranks can gather it.
struct GpuPlace {
  std::array<char, 64> host{};
  std::array<char, 40> boot{};  // tells nodes of one name apart
  std::array<char, 32> bus{};   // the same for all processes, whatever CUDA_VISIBLE_DEVICES says
  std::int32_t device = 0;
  std::int32_t visible = 0;
};

/// The place of every rank's GPU, in rank order. A collective; makes `device` the thread's current one.
/// Throws EnvironmentError, on all ranks alike, when CUDA fails.
std::vector<GpuPlace> gather_gpus(const NcclApi& api, Collectives& world, int device);

/// Says which ranks share a GPU and what to do; "" if none does.
std::string describe_shared_gpu(std::span<const GpuPlace> places);

}  // namespace masksc
