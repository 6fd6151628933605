#include "masksc/train/trace.hpp"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include "masksc/core/log.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

using torch::profiler::impl::ActivityType;

StepTrace::StepTrace(const std::string& steps, std::string path) : path_(std::move(path)) {
  std::tie(first_, last_) = profiled_steps(steps);
}

StepTrace::~StepTrace() {
  try {
    if (recording_) finish();
  } catch (...) {  // a trace is never worth a run
    log::warning("the trace '{}' could not be written", path_);
  }
}

void StepTrace::step(std::int64_t step, bool begins) {
  if (begins && step == first_) {
    const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO,
                                                       /*report_input_shapes=*/true);
    std::set<ActivityType> activities{ActivityType::CPU};
    if (at::hasCUDA()) activities.insert(ActivityType::CUDA);
    torch::autograd::profiler::prepareProfiler(config, activities);
    torch::autograd::profiler::enableProfiler(config, activities);
    recording_ = true;
  }
  if (!begins && recording_ && step >= last_) finish();
}

void StepTrace::finish() {
  recording_ = false;
  if (at::hasCUDA()) at::accelerator::synchronizeDevice(at::accelerator::getDeviceIndex());  // the update is under way
  torch::autograd::profiler::disableProfiler()->save(path_);
  log::info("trace of steps {} to {}: {}", first_, last_, path_);
}

}  // namespace masksc
