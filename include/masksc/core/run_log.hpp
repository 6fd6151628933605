// log.jsonl: one JSON object a line, the machine-readable course of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/json.hpp"

namespace masksc {

/// Appends to a log file, each line at once. A line torn by a killed run is cut off first. Without a path (the ranks
/// that don't speak) it writes nothing. A full disk costs lines, not the run: a warning tells once.
class RunLog {
 public:
  RunLog() = default;
  explicit RunLog(const std::filesystem::path& path);

  void write(const Json& line);
  /// `follower` sees each line from now on, after it was written.
  void follow(std::function<void(const Json& line)> follower) { follower_ = std::move(follower); }
  /// {"stage": ..., "event": ..., "step": ..., "time": ..., more...}
  void event(const std::string& stage, const std::string& event, std::int64_t step, const Json& more = Json::object());

 private:
  Descriptor file_;
  std::string path_;
  bool warned_ = false;
  std::function<void(const Json& line)> follower_;
};

/// The event with which each process of a run begins its lines.
constexpr const char* begin_event = "begin";

/// Calls `visit` with each line of the log at `path`, in order; a warning tells of lines that are no JSON (a killed run
/// may have torn one). None without a log.
void for_each_logged_line(const std::filesystem::path& path, const std::function<void(const Json& line)>& visit);

/// How long the processes of the log at `path` were at work, from the first line of each to its last, in seconds; 0
/// without a log. Lines that are damaged or have no time don't count.
double logged_seconds(const std::filesystem::path& path);

/// Seconds since 1970, to the millisecond: the "time" of a line.
double log_time();

}  // namespace masksc
