// Chrome traces of chosen steps, for chrome://tracing or ui.perfetto.dev.
#pragma once

#include <cstdint>
#include <string>

namespace masksc {

class StepTrace {
 public:
  /// Steps "FIRST:LAST" (from 1), or "none"; the trace goes to `path`.
  StepTrace(const std::string& steps, std::string path);
  ~StepTrace();
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;

  /// Called when a step begins and when it has ended.
  void step(std::int64_t step, bool begins);

 private:
  void finish();

  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  std::string path_;
  bool recording_ = false;
};

}  // namespace masksc
