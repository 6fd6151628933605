// Dropout as our own operator, keyed by (seed, layer, epoch, global cell): equal on any number of ranks, and when a
// layer is computed again.
#pragma once

#include <cstdint>

#include "masksc/model/torch.hpp"

namespace masksc {

/// Names the draws of one application of dropout to a batch.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::uint32_t layer = 0;
  at::Tensor cells;  // [B] int64, global cells, -1 for padding rows; on the device of what is dropped
};

/// x [B, ...], of any floating type, with each element kept with probability 1 - p and scaled by 1 / (1 - p), else 0.
/// The same elements on every device.
at::Tensor keyed_dropout(const at::Tensor& x, double p, const DropoutKey& key);

/// Its factors, 0 or 1 / (1 - p): float [B, width]. By loops of the host (cells must lie there), or by the device of
/// the cells, which takes many small steps.
at::Tensor dropout_scale(std::int64_t width, double p, const DropoutKey& key, bool by_host);

}  // namespace masksc
