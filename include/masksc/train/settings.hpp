// Settings of stage 2's training and of how a run is carried out.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/options.hpp"

namespace masksc {

struct TrainSettings {
  std::int64_t epochs = 36;
  std::int64_t max_steps = 0;    // 0: all epochs
  std::int64_t batch_size = 64;  // global, over all ranks
  double learning_rate = 1e-3;   // peak
  double weight_decay = 0.05;
  double warmup = 0.1;  // share of the steps
  double clip = 1.0;    // norm of the global gradient
  std::int64_t seed = 0;
  std::string precision = "auto";
  std::string gradient_checkpointing = "none";
};

struct RunSettings {
  std::string device = "auto";
  std::string collectives = "auto";
  std::int64_t threads = 0;                 // 0: the cores of the rank
  std::int64_t checkpoint_every_steps = 0;  // 0: at the ends of epochs, at most 5 % of the time
  std::int64_t keep_last = 2;
  std::string resume = "auto";
  bool quiet = false;
};

void describe(OptionTable& table, TrainSettings& settings);
void describe(OptionTable& table, RunSettings& settings);

/// Throw UserError on values out of range, and on those whose engine this build does not have.
void validate(const TrainSettings& settings);
void validate(const RunSettings& settings);

}  // namespace masksc
