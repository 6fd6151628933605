// Requests to stop: signals set a flag that every loop shares over the ranks, so that all leave at the same step.
#pragma once

#include "masksc/core/error.hpp"

namespace masksc {

/// Thrown on all ranks at the same step after the state is safe: the program ends with ExitCode::stopped.
class StopRequested : public Error {
 public:
  explicit StopRequested(const std::string& message) : Error(ExitCode::stopped, message) {}
};

/// From now on TERM, INT, USR1 and USR2 only set a flag; a second one ends the process at once.
void install_stop_signals();

/// Whether this process was asked to stop.
bool stop_requested() noexcept;

}  // namespace masksc
