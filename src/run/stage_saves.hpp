// What the loops of embedding and clustering do each round: save when it is time, leave when asked to.
#pragma once

#include <cstdint>
#include <functional>

#include "masksc/train/context.hpp"
#include "masksc/train/saver.hpp"

namespace masksc {

class StageSaves {
 public:
  /// `stage` is for log lines, `doing` for messages ("embedding"); `save` is a collective.
  StageSaves(const char* stage, const char* doing, TrainContext& context, std::function<void()> save);

  /// After a round, with what is done so far. A collective. Throws StopRequested on all ranks, after a save.
  void poll(std::int64_t done);
  /// Saves now; that it fails is a warning, since the work can be done again. A collective.
  void save();

 private:
  const char* stage_;
  const char* doing_;
  TrainContext& context_;
  std::function<void()> save_;
  SaveClock clock_;
};

}  // namespace masksc
