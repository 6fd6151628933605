// The steps of stage 2: each takes its batch, has the engine go through it, and tells what came of it.
#pragma once

#include <cstdint>

#include "masksc/data/loader.hpp"
#include "masksc/train/engine.hpp"
#include "masksc/train/saver.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {

/// A step as it was taken.
struct TakenStep {
  std::int64_t number = 0;  // from 1, of all epochs
  std::int64_t epoch = 0;   // from 1
  bool epoch_ends = false;
  RowRange positions = {};  // of its cells in the epoch's order
  std::int64_t cells = 0;   // over all ranks
  double learning_rate = 0;
  double seconds = 0;  // the whole of it
  StepReport report = {};
  [[nodiscard]] double cells_per_second() const { return static_cast<double>(cells) / seconds; }
};

/// The line of log.jsonl.
Json describe(const TakenStep& step);

class TrainingSteps {
 public:
  /// All must outlive it.
  TrainingSteps(MaskedAutoencoder& model, TrainingEngine& engine, const TrainJob& job, TrainContext& context);

  [[nodiscard]] const BatchPlan& plan() const { return loader_.plan(); }
  [[nodiscard]] std::int64_t total() const { return total_; }

  /// Takes the step after `done`, with what `saver` votes. A collective.
  TakenStep take(std::int64_t done, const Saver& saver);
  /// The next step is not the one after the last: its epoch is begun again.
  void go_back() { begins_ = true; }

 private:
  void begin_epoch(std::int64_t epoch, std::int64_t step);

  MaskedAutoencoder& model_;
  TrainingEngine& engine_;
  const TrainJob& job_;
  TrainContext& context_;
  std::uint64_t seed_;
  std::int64_t total_;
  Loader loader_;
  bool begins_ = true;  // the rows of the epoch are not there yet
};

}  // namespace masksc
