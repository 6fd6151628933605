#include "masksc/core/progress.hpp"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "masksc/core/log.hpp"
#include "masksc/core/terminal.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {
constexpr double terminal_interval = 0.2;   // seconds between updates of the line
std::atomic<double> plain_interval = 10.0;  // seconds between plain lines; 0: none
}  // namespace

void set_progress_interval(double seconds) { plain_interval = seconds; }

Progress::Progress(std::string title, std::int64_t total, bool enabled, std::int64_t first)
    : title_(std::move(title)), total_(total), first_(first), enabled_(enabled), terminal_(terminal_columns() > 0) {
  if (!terminal_) last_ = Clock::now();  // the first plain line comes after one interval
}

Progress::~Progress() { end_moving_line(); }

void Progress::update(std::int64_t done, const std::string& detail) {
  if (!enabled_ || (!terminal_ && plain_interval == 0)) return;
  const auto now = Clock::now();
  if (done > first_ && from_ < 0) {
    from_ = done;
    from_time_ = now;
  }
  const double since = std::chrono::duration<double>(now - last_).count();
  if (since < (terminal_ ? terminal_interval : plain_interval.load()) && !(terminal_ && done == total_)) return;
  last_ = now;
  std::string text =
      fmt::format("{} {}/{} ({}%), {}", title_, done, total_, total_ > 0 ? 100 * done / total_ : 100, detail);
  if (done == total_ || (from_ >= 0 && done > from_)) {
    const double elapsed = std::chrono::duration<double>(now - from_time_).count();
    const double left =
        done == total_ ? 0 : elapsed / static_cast<double>(done - from_) * static_cast<double>(total_ - done);
    text += fmt::format(", {} left", format_duration(left));
  }
  if (terminal_) {
    show_moving_line(text);
  } else {
    log::write(log::Level::info, text);
  }
}

}  // namespace masksc
