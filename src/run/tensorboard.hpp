// DIR/tensorboard: the steps of log.jsonl as TensorBoard's scalars.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "masksc/core/json.hpp"
#include "masksc/io/event_file.hpp"

namespace masksc {

/// Keeps one event file with every step that a log holds, each once, under stage/name ("train/loss"). Where a run goes
/// back (resumed, rewound) the steps that it leaves behind go: the file is made anew from the log. What is there
/// before, whole or torn, is replaced. A full disk costs events, not the run: a warning tells once.
class TensorBoard {
 public:
  /// Writes the steps of `log`, which may not be there yet, to a new event file in `folder`.
  TensorBoard(std::filesystem::path log, std::filesystem::path folder);

  /// A line that was just written to the log; lines that are no steps are passed over.
  void add(const Json& line);

 private:
  void rewrite();

  std::filesystem::path log_;
  std::filesystem::path folder_;
  std::unique_ptr<EventFile> file_;            // none after a failure
  std::map<std::string, std::int64_t> steps_;  // the last one of each group that is in the file
};

}  // namespace masksc
