// Messages for people, on standard error. Rank 0 speaks; other ranks only warn and report errors, with their rank.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace masksc::log {

enum class Level { debug, info, warning, error };

/// Sets who speaks: `rank` of this process, and the lowest level shown on rank 0 (others show warnings and errors).
void configure(int rank, Level lowest = Level::info);

void write(Level level, std::string_view text);

/// While it lives, its thread says nothing below `lowest`.
class Muted {
 public:
  explicit Muted(Level lowest);
  ~Muted();
  Muted(const Muted&) = delete;
  Muted& operator=(const Muted&) = delete;

 private:
  Level before_;
};

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace masksc::log
