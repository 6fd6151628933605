// log.jsonl: one JSON object a line, the machine-readable course of a run.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "masksc/core/json.hpp"

namespace masksc {

/// Appends to a log file; every line is flushed. A line torn by a killed run is ended first. Without a path (the ranks
/// that don't speak) it writes nothing.
class RunLog {
 public:
  RunLog() = default;
  explicit RunLog(const std::filesystem::path& path);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// Throws EnvironmentError when the disk is full.
  void write(const Json& line);
  /// {"stage": ..., "event": ..., "step": ..., more...}
  void event(const std::string& stage, const std::string& event, std::int64_t step, const Json& more = Json::object());

 private:
  std::FILE* file_ = nullptr;
  std::string path_;
};

}  // namespace masksc
