// What every training loop is handed: its peers, its device, and where it reports.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/run_log.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/dist/nccl.hpp"
#include "masksc/model/torch.hpp"
#include "masksc/train/resident.hpp"

namespace masksc {

struct TrainContext {
  Collectives& ranks;
  RunLog& log;  // writes on rank 0 only
  at::Device device = at::kCPU;
  bool show_progress = false;               // rank 0 and not --quiet
  NcclCollectives* nccl = nullptr;          // for gradients, where every rank has a GPU of its own
  int shards = 0;                           // virtual shards of --deterministic, over all ranks; 0 without it
  Shuffle shuffle = {};                     // of the cells of an epoch
  const char* again = "the same command";   // that goes on with a stopped run
  const ResidentCells* resident = nullptr;  // rows of all cells on the device, where they stay there

  /// A warning of a step, for the log and, on rank 0, for people. On all ranks alike.
  void warn(const std::string& stage, std::int64_t step, const std::string& message) const;

  /// Tiles that a rank computes at the same time, each on one of its `threads`: with --deterministic, where LibTorch's
  /// own threads would change the bits; without it one, on all of them.
  [[nodiscard]] int tile_threads(int threads) const { return shards > 0 && device.is_cpu() ? threads : 1; }
};

/// How batches are made: on the device of resident cells, else by the host and, for a GPU, while that computes.
LoaderSettings loader_settings(const TrainContext& context, int parts);

/// The dense rows of a batch of such a loader: float [rows, tokens * patch_genes] on the device.
at::Tensor dense_rows(const Batch& batch, const TrainContext& context);

/// A vector as a tensor on the device; on its way from memory that does not move (pinned), where that is a GPU.
at::Tensor to_tensor(const std::vector<float>& values, at::Device device);
at::Tensor to_tensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape, at::Device device);

}  // namespace masksc
