// The draws of core/random.hpp as tensors, computed where `cells` lie and equal to the host's, so that a GPU does not
// wait for masks and dropout.
#pragma once

#include <cstdint>

#include "masksc/core/random.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// Words of the streams (seed, purpose, epoch, cell, layer), block after block: [cells, blocks, 4] int64 below 2^32.
/// cells [n] int64; -1, a padding row, draws as cell 0.
at::Tensor philox_words(std::uint64_t seed, Purpose purpose, std::uint32_t epoch, const at::Tensor& cells,
                        std::int64_t blocks, std::uint32_t layer = 0);

/// As Masks, on a device: int64 [n, U] and [n, M].
struct DeviceMasks {
  at::Tensor visible;
  at::Tensor masked;
};
/// As draw_masks: by the host where the cells lie there, else by their device.
DeviceMasks draw_masks_of(std::uint64_t seed, std::uint32_t epoch, const at::Tensor& cells, std::int64_t tokens,
                          std::int64_t visible);
/// By tensors, wherever the cells lie.
DeviceMasks draw_masks_there(std::uint64_t seed, std::uint32_t epoch, const at::Tensor& cells, std::int64_t tokens,
                             std::int64_t visible);

}  // namespace masksc
