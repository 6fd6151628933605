// Chrome traces of chosen steps, for chrome://tracing, ui.perfetto.dev or PyTorch's tools. Operations of all threads of
// a rank, in spans: ProfilerStep#N (the name those tools look for) and its data, forward, backward, communication and
// update.
#pragma once

#include <ATen/record_function.h>

#include <cstdint>
#include <optional>
#include <string>

#include "masksc/dist/collectives.hpp"

namespace masksc {

class StepTrace {
 public:
  /// Steps "FIRST:LAST" (from 1), or "none"; the trace goes to `path` and says whose of `ranks` it is.
  StepTrace(const std::string& steps, std::string path, const Collectives& ranks);
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
  int rank_;
  int world_size_;
  std::optional<at::RecordFunction> span_;  // of the step under way
  bool recording_ = false;
};

}  // namespace masksc
