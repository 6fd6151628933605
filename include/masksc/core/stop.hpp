// Requests to stop, by a signal or a time limit: a flag that every loop shares over the ranks, so that all leave at the
// same step.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "masksc/core/error.hpp"

namespace masksc {

/// Thrown on all ranks at the same step after the state is safe: the program ends with ExitCode::stopped.
class StopRequested : public Error {
 public:
  explicit StopRequested(const std::string& message) : Error(ExitCode::stopped, message) {}
};

/// Signal numbers of a list of names, e.g. "TERM,USR1"; SIG may stand before a name, and "none" is an empty list.
/// Throws UserError for names that are unknown, that cannot be caught, or that tell of something else than a wish to
/// stop.
std::vector<int> parse_stop_signals(const std::string& list);

/// From now on these signals only set a flag; one that comes over a second after the first (earlier it is the same
/// request that took two ways) ends the process at once with ExitCode::stopped. A function that handled the signal
/// before is called too. To be called again after a library that may have put its own handlers in between.
void install_stop_signals(const std::vector<int>& signals);

/// From now on this thread and those that it starts are not interrupted by these signals: a thread that does nothing
/// else takes them. To be called before threads that compute are started: oneDNN's fp32 products keep values below the
/// stack pointer, where a handler on the same stack overwrites them, and the process crashes.
void take_stop_signals_apart(const std::vector<int>& signals);

/// From `deadline` on the run counts as asked to stop. `grace`: seconds that are left from then to the limit.
void set_stop_deadline(std::chrono::steady_clock::time_point deadline, double grace);

/// As if another rank had been asked: for what learns of it by a way of its own.
void request_stop() noexcept;

/// Whether this process was asked to stop. Cheap: to be polled at every step.
bool stop_requested() noexcept;

/// What asked: "signal USR1", "time limit", or "another rank" where it was not this process that was asked.
std::string stop_reason();

/// Seconds between a request by the time limit and the limit; without a limit, those that were given by `grace`.
double stop_grace_seconds() noexcept;

}  // namespace masksc
