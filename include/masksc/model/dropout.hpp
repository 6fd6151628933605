// Dropout as our own operator, keyed by (seed, layer, epoch, global cell): equal on any number of ranks, and when a
// layer is computed again.
#pragma once

#include <cstdint>
#include <span>

#include "masksc/model/torch.hpp"

namespace masksc {

/// Names the draws of one application of dropout to a batch.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::uint32_t layer = 0;
  std::span<const std::int64_t> cells;  // [B] global cells, -1 for padding rows
};

/// x [B, ...], of any floating type, with each element kept with probability 1 - p and scaled by 1 / (1 - p), else 0.
at::Tensor keyed_dropout(const at::Tensor& x, double p, const DropoutKey& key);

}  // namespace masksc
