// Stage 2: masked expression modelling, data parallel over ranks. The global batch, its masks and its loss do not
// depend on the number of ranks; with --deterministic neither do the bits of what comes out.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/targets.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/engine.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

struct TrainJob {
  const Expression& expression;
  const Targets& targets;
  TargetSettings target_settings;
  TrainSettings settings;
  std::int64_t micro_batch = 0;  // cells of a pass on a rank, or in a virtual shard
  CadenceSettings cadence = {};
  CheckpointFolder* checkpoints = nullptr;           // none: no checkpoints
  Json description = Json::object();                 // what a checkpoint says of the run besides its state
  std::int64_t max_bad_steps = 10;                   // in a row
  std::optional<Checkpoint> resumed = std::nullopt;  // where it goes on; the engine has its state already
  std::function<void(std::int64_t step, bool begins)> around_step =
      nullptr;  // called around every step, if given; from 1
};

struct TrainOutcome {
  std::int64_t steps = 0;  // done in all
  std::int64_t cells = 0;  // trained in this process's run, over all ranks
  double seconds = 0;
  double loss = 0;               // of the last step that counted; NaN if none did
  StepSeconds seconds_by_part;   // sums over this run's steps on rank 0
  std::optional<double> hidden;  // share of the communication that the backward pass hid, see GradientExchange
};

/// Steps of a whole run.
std::int64_t total_steps(std::int64_t cells, const TrainSettings& settings);

/// Trains `model` in place, from the start or from where job.resumed was. Steps whose loss or gradient is not finite
/// are left out; after job.max_bad_steps of them in a row it goes back to the last checkpoint, and gives up when that
/// leads to the same place. A collective. Throws StopRequested on all ranks after a checkpoint, UserError when it gives
/// up (the checkpoints stay).
TrainOutcome train(MaskedAutoencoder& model, TrainingEngine& engine, const TrainJob& job, TrainContext& context);

/// What a pass of stage 2 computes with, on the device.
struct PassInputs {
  at::Tensor patches;      // [B, G, P*P]
  at::Tensor row_weights;  // [B] 1, or 0 for padding
  at::Tensor visible;      // [B, V] tokens
  at::Tensor masked;       // [B, G - V] tokens
  at::Tensor cells;        // [B] of all ranks' cells; -1 for padding

  /// As passes are handed on (StepPasses::inputs).
  [[nodiscard]] std::vector<at::Tensor> tensors() const { return {patches, row_weights, visible, masked, cells}; }
  static PassInputs of(const std::vector<at::Tensor>& t) { return {t.at(0), t.at(1), t.at(2), t.at(3), t.at(4)}; }
};

/// The loss of one pass (Eq. 6), this rank's share: its masked term is the sum over its cells and masked patches of
/// the mean squared error over features, divided by the masked patches of the global batch; the guidance term likewise
/// over cells. Shares add up over ranks.
LossShares batch_loss(const MaskedAutoencoder& model, const Targets& targets, const TargetSettings& target_settings,
                      const PassInputs& inputs, std::int64_t global_cells, const std::optional<DropoutKey>& key);

}  // namespace masksc
