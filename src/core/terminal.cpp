#include "masksc/core/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr int usual_columns = 80;

std::atomic<bool> line_open = false;  // messages may come from threads that save

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// 0 without one, or with a value that is no number.
int told_columns() { return std::max(0, number_of<int>(variable("MASKSC_TERMINAL")).value_or(0)); }

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

int terminal_columns() {
  const std::string_view kind = variable("TERM");
  if (kind.empty() || kind == "dumb") return 0;
  if (::isatty(STDERR_FILENO) == 0) return told_columns();
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual_columns;
}

bool terminal_has_colours() { return variable("NO_COLOR").empty() && terminal_columns() > 0; }

void show_moving_line(std::string_view text) {
  // The last column stays free: a cursor behind it would be on the next line in some terminals.
  const int columns = terminal_columns();
  put(fmt::format("\r\033[K{}", columns > 0 ? first_characters(text, static_cast<std::size_t>(columns - 1)) : text));
  line_open = true;
}

void clear_moving_line() {
  if (line_open.exchange(false)) put("\r\033[K");
}

void end_moving_line() {
  if (line_open.exchange(false)) put("\n");
}

}  // namespace masksc
