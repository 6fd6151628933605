// Progress for people: one moving line with an ETA on a terminal, a plain line every few seconds in a log file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace masksc {

/// Seconds between plain lines, 10 at first; 0: there are none. Not for lines on a terminal.
void set_progress_interval(double seconds);

/// Only rank 0 makes an enabled one. Writes to standard error.
class Progress {
 public:
  /// `title` names the stage; `total` counts steps; a disabled progress says nothing.
  Progress(std::string title, std::int64_t total, bool enabled, std::int64_t first = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of the total are done (the time that is left is told from the second time on); `detail` is free text, e.g.
  /// "loss 0.42, 810 cells/s".
  void update(std::int64_t done, const std::string& detail);

 private:
  using Clock = std::chrono::steady_clock;
  std::string title_;
  std::int64_t total_;
  std::int64_t first_;
  bool enabled_;
  bool terminal_;
  std::int64_t from_ = -1;  // the first step that was done: it may wait for data, and is no measure of the next
  Clock::time_point from_time_{};
  Clock::time_point last_{};
};

}  // namespace masksc
