// Stage 1: contrastive training of the sequence encoder over ranks, equal to training on one rank.
#pragma once

#include <functional>
#include <string>

#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/settings.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/saver.hpp"

namespace masksc {

struct SequenceJob {
  const Expression& expression;
  SequenceSettings settings;
  std::uint64_t seed = 0;
  const char* title = "sequence encoder: step";  // for progress
  std::string encoder = {};  // for the log, where a run has two: which one; "": the one of whole cells
  CadenceSettings cadence = {};
  CheckpointFolder* checkpoints = nullptr;  // none: no checkpoints
  Json description = Json::object();        // what a checkpoint says of the run besides its state
  std::function<void()> poll = [] {};       // called before every step; may throw to stop
};

/// Trains `encoder` in place, from the start or from the newest checkpoint: two dropout views of every cell, the
/// contrastive loss over the global batch, Adam with a cosine schedule by epoch. Always fp32. A collective.
/// Throws StopRequested (on all ranks at one step, after a checkpoint), UserError when the loss is not finite.
void train_sequence_encoder(SequenceEncoder& encoder, const SequenceJob& job, TrainContext& context);

}  // namespace masksc
