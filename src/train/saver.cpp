#include "masksc/train/saver.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "masksc/core/log.hpp"
#include "masksc/core/stop.hpp"

namespace masksc {
namespace {

constexpr double longest_unsaved = 600;  // seconds into a long epoch

}  // namespace

StepVotes share_votes(Collectives& ranks, const StepVotes& mine) {
  std::array<std::int32_t, 3> votes = {mine.stop ? 1 : 0, mine.save ? 1 : 0, mine.writing ? 1 : 0};
  ranks.all_reduce(std::span<std::int32_t>(votes), ReduceOp::max);
  return {votes[0] != 0, votes[1] != 0, votes[2] != 0};
}

void leave_as_asked(TrainContext& context, const std::string& stage, std::int64_t step, const std::string& where) {
  context.log.event(stage, "stop", step, {{"reason", stop_reason()}});
  throw StopRequested(
      fmt::format("stopped on request ({}) {}; start {} to resume", stop_reason(), where, context.again));
}

Json describe_position(const BatchPlan& plan, std::int64_t step, std::int64_t total, double loss) {
  return {{"epoch", step / plan.steps},
          {"cursor", plan.batch(step % plan.steps).begin},  // cells of that epoch's order that were used
          {"cells", plan.cells},
          {"total_steps", total},
          {"loss", loss}};
}

double SaveClock::elapsed() const { return last_.seconds(); }

void SaveClock::saved(double seconds) {
  cost_ = seconds;
  last_ = Stopwatch();
}

Saver::Saver(CheckpointFolder* checkpoints, const CadenceSettings& cadence, std::string stage, TrainContext& context)
    : checkpoints_(checkpoints), cadence_(cadence), stage_(std::move(stage)), context_(context) {}

StepVotes Saver::votes(bool epoch_ends) const {
  StepVotes mine;
  mine.stop = stop_requested();
  if (checkpoints_ == nullptr) return mine;
  mine.writing = checkpoints_->pending() && !checkpoints_->written();
  if (!context_.ranks.is_root()) return mine;
  if (cadence_.minutes > 0)
    mine.save = clock_.elapsed() >= 60 * cadence_.minutes;
  else if (cadence_.steps == 0 && cadence_.epochs == 0)
    mine.save = clock_.affordable() && (epoch_ends || clock_.elapsed() >= longest_unsaved);
  return mine;
}

bool Saver::by_count(std::int64_t step, std::int64_t epoch, bool epoch_ends) const {
  return (cadence_.steps > 0 && step % cadence_.steps == 0) ||
         (cadence_.epochs > 0 && epoch_ends && epoch % cadence_.epochs == 0);
}

void Saver::after_step(std::int64_t step, std::int64_t epoch, bool epoch_ends, bool last, const StepVotes& agreed,
                       const std::function<SavedState(bool copy)>& state) {
  if (checkpoints_ == nullptr) return;
  const bool now = last || agreed.stop;
  if (now || !agreed.writing) settle();
  if (!now && !agreed.save && !by_count(step, epoch, epoch_ends)) return;
  attempt(step, agreed.stop, [&] {
    if (checkpoints_->pending()) complete();
    begin(step, cadence_.background && !now, state);
  });
}

void Saver::settle() {
  if (checkpoints_ != nullptr && checkpoints_->pending()) attempt(checkpoints_->step(), false, [&] { complete(); });
}

/// What fails fails on all ranks.
template <typename Work>
void Saver::attempt(std::int64_t step, bool must, const Work& work) {
  const Stopwatch stopwatch;
  try {
    work();
  } catch (const EnvironmentError& e) {
    if (must) throw;
    clock_.saved(stopwatch.seconds());  // the next one is due as if this had gone well
    failed(step, e.what());
  }
}

void Saver::begin(std::int64_t step, bool background, const std::function<SavedState(bool copy)>& state) {
  const Stopwatch stopwatch;
  SavedState saved = state(background);
  checkpoints_->begin(step, std::move(saved.header), std::move(saved.arrays), background);
  stall_ = stopwatch.seconds();
  clock_.saved(stall_);
  if (!background) complete();
}

void Saver::complete() {
  const Stopwatch stopwatch;
  checkpoints_->complete();
  stall_ += stopwatch.seconds();
  clock_.saved(stall_);
  context_.log.event(
      stage_, "checkpoint", checkpoints_->step(),
      {{"seconds", stall_}, {"write_seconds", checkpoints_->write_seconds()}, {"bytes", checkpoints_->bytes()}});
  const double whole = std::max(stall_, checkpoints_->write_seconds());
  if (whole > stop_grace_seconds() && context_.ranks.is_root() && !std::exchange(warned_, true))
    log::warning(
        "saving a checkpoint took {:.0f} s, longer than the {:.0f} s of --grace: a run that is stopped may be killed "
        "before its state is safe; raise --grace, and the notice that the scheduler gives",
        whole, stop_grace_seconds());
}

void Saver::failed(std::int64_t step, const std::string& why) const {
  context_.warn(stage_, step, fmt::format("a checkpoint could not be saved, the run goes on: {}", why));
}

}  // namespace masksc
