// Whether gradients travel by NCCL: --collectives.
#pragma once

#include <memory>

#include "masksc/dist/nccl.hpp"
#include "masksc/model/torch.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Throws UserError when nccl is wanted and this rank has no GPU, before anything is read.
void check_nccl(const RunSettings& settings, at::Device device);

/// NCCL, where --collectives says so or, by auto, where every one of several ranks has a GPU of its own. A collective.
/// Throws UserError when nccl is wanted and cannot be.
std::unique_ptr<NcclCollectives> choose_nccl(const RunSettings& settings, at::Device device, Collectives& ranks);

}  // namespace masksc
