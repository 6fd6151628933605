#include "stage_saves.hpp"

#include <utility>

#include "masksc/core/log.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"

namespace masksc {
namespace {
constexpr double least_seconds = 10;  // between saves
}

StageSaves::StageSaves(const char* stage, const char* doing, TrainContext& context, std::function<void()> save)
    : stage_(stage), doing_(doing), context_(context), save_(std::move(save)) {}

void StageSaves::poll(std::int64_t done) {
  StepVotes mine{.stop = stop_requested()};
  mine.save = context_.ranks.is_root() && clock_.elapsed() >= least_seconds && clock_.affordable();
  const StepVotes votes = share_votes(context_.ranks, mine);
  if (votes.save || votes.stop) save();
  if (!votes.stop) return;
  leave_as_asked(context_, stage_, done, fmt::format("while {}", doing_));
}

void StageSaves::save() {
  const Stopwatch stopwatch;
  try {
    save_();
  } catch (const EnvironmentError& e) {
    if (context_.ranks.is_root()) log::warning("what {} has done so far could not be saved: {}", doing_, e.what());
  }
  clock_.saved(stopwatch.seconds());
}

}  // namespace masksc
