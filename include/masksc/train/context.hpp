// What every training loop is handed: its peers, its device, and where it reports.
#pragma once

#include "masksc/core/run_log.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/dist/nccl.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

struct TrainContext {
  Collectives& ranks;
  RunLog& log;  // writes on rank 0 only
  at::Device device = at::kCPU;
  bool show_progress = false;       // rank 0 and not --quiet
  NcclCollectives* nccl = nullptr;  // for gradients, where every rank has a GPU of its own
  int shards = 0;                   // virtual shards of --deterministic, over all ranks; 0 without it
  Shuffle shuffle = {};             // of the cells of an epoch

  /// Tiles that a rank computes at the same time, each on one of its `threads`: with --deterministic, where LibTorch's
  /// own threads would change the bits; without it one, on all of them.
  [[nodiscard]] int tile_threads(int threads) const { return shards > 0 && device.is_cpu() ? threads : 1; }
};

/// A batch's dense values as patches [rows, G, P*P] on the device.
at::Tensor to_patches(const std::vector<float>& values, std::int64_t rows, std::int64_t patch_genes, at::Device device);

/// A vector as a tensor on the device.
at::Tensor to_tensor(const std::vector<float>& values, at::Device device);
at::Tensor to_tensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape, at::Device device);

}  // namespace masksc
