// A batch of stage 2 as a rank computes with it: on the device, with its masks, and cut into passes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "masksc/data/loader.hpp"
#include "masksc/model/device_random.hpp"
#include "masksc/model/dropout.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {

/// A batch on the device, and the passes that it is cut into.
struct DeviceBatch {
  DeviceBatch(const Batch& batch, const AutoencoderShape& shape, std::uint64_t seed, std::uint32_t epoch,
              std::int64_t micro_batch, bool deterministic, const TrainContext& context)
      : global_cells(batch.global_cells),
        copies(deterministic),
        part_rows(batch.part_rows),
        pass_rows(std::min(micro_batch, part_rows)),
        passes_of_part((part_rows + pass_rows - 1) / pass_rows),
        passes(passes_of_part * (batch.rows / part_rows)),
        key{seed, epoch, 0, to_tensor(batch.cells, {batch.rows}, context.device)},
        patches(dense_rows(batch, context).view({batch.rows, -1, shape.patch_genes})),
        weights(to_tensor(batch.weights, context.device)) {
    DeviceMasks masks =
        draw_masks_of(seed, epoch, key.cells, shape.tokens(), visible_tokens(shape.tokens(), shape.model.mask_ratio));
    visible = std::move(masks.visible);
    masked = std::move(masks.masked);
  }
  [[nodiscard]] RowRange rows_of(std::int64_t pass) const {
    const std::int64_t part = pass / passes_of_part * part_rows;
    const std::int64_t first = pass % passes_of_part * pass_rows;
    return {part + first, part + std::min(first + pass_rows, part_rows)};
  }
  /// With --deterministic a copy: the bits of a product may depend on where its rows lie in memory.
  [[nodiscard]] at::Tensor rows(const at::Tensor& whole, std::int64_t pass) const {
    const RowRange range = rows_of(pass);
    const at::Tensor part = whole.narrow(0, range.begin, range.size());
    return copies ? part.clone() : part;
  }
  [[nodiscard]] PassInputs inputs(std::int64_t pass) const {
    return {rows(patches, pass), rows(weights, pass), rows(visible, pass), rows(masked, pass), rows(key.cells, pass)};
  }
  [[nodiscard]] DropoutKey key_of(const at::Tensor& cells) const {
    DropoutKey mine = key;
    mine.cells = cells;
    return mine;
  }

  std::int64_t global_cells;
  bool copies;
  std::int64_t part_rows;
  std::int64_t pass_rows;
  std::int64_t passes_of_part;
  std::int64_t passes;
  DropoutKey key;
  at::Tensor patches;
  at::Tensor weights;
  at::Tensor visible;
  at::Tensor masked;
};

}  // namespace masksc
