// The one file that sees spdlog.
#include "masksc/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "masksc/core/terminal.hpp"
#include "masksc/core/text.hpp"

namespace masksc::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_color_mt(
      "masksc", terminal_has_colours() ? spdlog::color_mode::always : spdlog::color_mode::never);
  int rank = 0;
  State() { logger->set_pattern("%H:%M:%S %^%l%$ %v"); }
};

State& state() {
  static State instance;
  return instance;
}

thread_local Level lowest_here = Level::debug;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

}  // namespace

void configure(int rank, Level lowest) {
  state().rank = rank;
  state().logger->set_level(to_spdlog(rank == 0 || lowest > Level::warning ? lowest : Level::warning));
}

void write(Level level, std::string_view text) {
  if (level < lowest_here) return;
  const State& s = state();
  const std::string message = printable(text, /*keep_lines=*/true);  // names from files may hold anything
  if (s.logger->should_log(to_spdlog(level))) clear_moving_line();
  if (s.rank == 0)
    s.logger->log(to_spdlog(level), "{}", message);
  else
    s.logger->log(to_spdlog(level), "[rank {}] {}", s.rank, message);
}

Muted::Muted(Level lowest) : before_(lowest_here) { lowest_here = lowest; }
Muted::~Muted() { lowest_here = before_; }

}  // namespace masksc::log
