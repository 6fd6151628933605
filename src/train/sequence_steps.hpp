// The steps of stage 1: each takes its batch, computes the gradient of the contrastive loss, and updates the encoder.
#pragma once

#include <cstdint>

#include "masksc/core/json.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/sequence_trainer.hpp"

namespace masksc {

/// A step as it was taken.
struct TakenSequenceStep {
  std::int64_t number = 0;  // from 1, of all epochs
  std::int64_t epoch = 0;   // from 1
  bool epoch_ends = false;
  std::int64_t cells = 0;  // over all ranks
  double learning_rate = 0;
  double loss = 0;
  double gradient_norm = 0;
  double seconds = 0;
  [[nodiscard]] double cells_per_second() const { return static_cast<double>(cells) / seconds; }
};

/// The line of log.jsonl.
Json describe(const TakenSequenceStep& step);

class SequenceSteps {
 public:
  /// All must outlive it. On a CPU with virtual shards `threads` of these are computed at the same time.
  SequenceSteps(SequenceEncoder& encoder, AdamW& adam, const SequenceJob& job, int threads, TrainContext& context);

  [[nodiscard]] const BatchPlan& plan() const { return loader_.plan(); }
  [[nodiscard]] std::int64_t total() const { return job_.settings.epochs * plan().steps; }

  /// Takes the step after `done`: the one after the last, or after a checkpoint. Collectives are watched from here on
  /// as those of the step (Collectives::begin_step); who shares votes ends it. A collective. Throws UserError where
  /// loss or gradient are not finite.
  TakenSequenceStep take(std::int64_t done);

 private:
  SequenceEncoder& encoder_;
  AdamW& adam_;
  const SequenceJob& job_;
  int threads_;
  TrainContext& context_;
  Loader loader_;
  bool begins_ = true;  // the rows of the epoch are not there yet
};

}  // namespace masksc
