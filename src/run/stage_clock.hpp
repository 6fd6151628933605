// How long the stages of a run take.
#pragma once

#include <string>

#include "masksc/core/json.hpp"
#include "masksc/core/run_log.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/dist/heartbeat.hpp"

namespace masksc {

/// Times a stage and marks its start and end in log.jsonl, and its name in the heartbeat.
class StageClock {
 public:
  StageClock(RunLog& log, Heartbeat& heartbeat) : log_(log), heartbeat_(heartbeat) {}

  template <typename Work>
  auto time(const std::string& stage, Work&& work) {
    log_.event(stage, "start", 0);
    auto result = time_unlogged(stage, work);
    log_.event(stage, "end", 0, {{"seconds", seconds_[stage]}});
    return result;
  }
  /// What is no stage of the log: the choice of what guides the training, drawing.
  template <typename Work>
  auto time_unlogged(const std::string& stage, Work&& work) {
    heartbeat_.begin_stage(stage);
    const Stopwatch stopwatch;
    auto result = work();
    add(stage, stopwatch.seconds());
    return result;
  }
  void add(const std::string& stage, double seconds) {
    seconds_[stage] = seconds;
    total_ += seconds;
  }
  [[nodiscard]] Json seconds() const {
    Json all = seconds_;
    all["total"] = total_;
    return all;
  }

 private:
  RunLog& log_;
  Heartbeat& heartbeat_;
  Json seconds_ = Json::object();
  double total_ = 0;
};

}  // namespace masksc
