// When a training loop saves, and that it stops as asked: what both stages' loops share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "masksc/core/stopwatch.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/io/checkpoint_folder.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

/// What ranks tell each other each step: what one of them says holds for all, so that all do the same.
struct StepVotes {
  bool stop = false;     // this rank was asked to stop
  bool save = false;     // rank 0's clock says that it is time
  bool writing = false;  // this rank's part of the pending checkpoint is not on disk yet
};
/// The votes of all ranks. A collective.
StepVotes share_votes(Collectives& ranks, const StepVotes& mine);

/// Logs that `stage` ends after `step` and throws StopRequested, on all ranks alike: "stopped on request (signal USR1)
/// `where`".
[[noreturn]] void leave_as_asked(TrainContext& context, const std::string& stage, std::int64_t step,
                                 const std::string& where);

/// How far saving has got by rank 0's clock: a save is due when all saves together took less than 1 % of the time.
class SaveClock {
 public:
  [[nodiscard]] double elapsed() const;
  [[nodiscard]] bool affordable() const { return elapsed() >= 100 * cost_; }
  /// A save has ended that held training up for `seconds`.
  void saved(double seconds);

 private:
  Stopwatch last_;
  double cost_ = 0;
};

/// A state as a checkpoint holds it: `header` on rank 0, this rank's arrays.
struct SavedState {
  Json header;
  std::vector<ArraySource> arrays;
};

/// Where a training is after `step` of `total` steps, as the header of its checkpoint says it.
Json describe_position(const BatchPlan& plan, std::int64_t step, std::int64_t total, double loss);

class Saver {
 public:
  /// Without `checkpoints` nothing is saved. `stage` names log lines. All must outlive it.
  Saver(CheckpointFolder* checkpoints, const CadenceSettings& cadence, std::string stage, TrainContext& context);

  /// What this rank votes in the step that is now done.
  [[nodiscard]] StepVotes votes(bool epoch_ends) const;

  /// After a step, with the votes of all ranks: completes or begins a save as they and the cadence say. `state` gives
  /// the state after this step, copied if asked; a collective itself. The `last` step and a stop are saved at once.
  /// That a save fails is thrown after a stop; else it is a warning, and the run goes on. A collective.
  void after_step(std::int64_t step, std::int64_t epoch, bool epoch_ends, bool last, const StepVotes& agreed,
                  const std::function<SavedState(bool copy)>& state);
  /// Waits for a save in the background, if there is one; that it fails is a warning. A collective.
  void settle();

 private:
  [[nodiscard]] bool by_count(std::int64_t step, std::int64_t epoch, bool epoch_ends) const;
  void begin(std::int64_t step, bool background, const std::function<SavedState(bool copy)>& state);
  void complete();
  void failed(std::int64_t step, const std::string& why) const;
  template <typename Work>
  void attempt(std::int64_t step, bool must, const Work& work);

  CheckpointFolder* checkpoints_;
  CadenceSettings cadence_;
  std::string stage_;
  TrainContext& context_;
  SaveClock clock_;
  bool warned_ = false;
  double stall_ = 0;  // seconds that the last save held this rank up
};

}  // namespace masksc
