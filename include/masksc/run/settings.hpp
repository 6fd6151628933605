// Settings of how a run is carried out: where, with which ranks, saved and stopped when.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/options.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

struct RunSettings {
  std::string device = "auto";
  std::string collectives = "auto";        // auto, nccl, mpi
  std::int64_t collective_timeout = 1800;  // seconds
  std::int64_t stall_timeout = 20;         // seconds
  std::int64_t threads = 0;                // 0: the cores of the rank
  CadenceSettings cadence;
  std::int64_t keep_last = 2;
  std::int64_t keep_every = 0;      // steps; 0: none is kept for good
  std::int64_t max_bad_steps = 10;  // in a row, before training goes back
  std::string resume = "auto";      // auto, never, or the path of a checkpoint or a folder of them
  std::string stop_signals = "TERM,USR1,USR2,INT";
  std::string time_limit = "none";  // as Slurm writes it; none: that of the Slurm job, if any
  std::int64_t grace = 120;         // seconds before the limit at which the run stops by itself
  bool quiet = false;
  double progress_seconds = 10;  // between lines of progress that are no terminal's
  bool tensorboard = false;      // steps as TensorBoard's event files as well

  /// The path that --resume gives; "" where it gives none.
  [[nodiscard]] std::string resumed_path() const { return resume == "auto" || resume == "never" ? "" : resume; }
};

void describe(OptionTable& table, RunSettings& settings);

/// Throws UserError on values out of range.
void validate(const RunSettings& settings);

}  // namespace masksc
