#include "masksc/train/trace.hpp"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>

#include "masksc/core/log.hpp"
#include "masksc/train/settings.hpp"

namespace torch::autograd::profiler {
// LibTorch's, declared in a header that includes one of libkineto, which LibTorch does not ship.
TORCH_API void addMetadataJson(const std::string& key, const std::string& value);
}  // namespace torch::autograd::profiler

namespace masksc {

using torch::profiler::impl::ActivityType;

namespace {

torch::profiler::impl::ExperimentalConfig all_threads() {
  torch::profiler::impl::ExperimentalConfig config;
  config.profile_all_threads = true;
  return config;
}

}  // namespace

StepTrace::StepTrace(const std::string& steps, std::string path, const Collectives& ranks)
    : path_(std::move(path)), rank_(ranks.rank()), world_size_(ranks.size()) {
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
                                                       /*report_input_shapes=*/true, /*profile_memory=*/false,
                                                       /*with_stack=*/false, /*with_flops=*/false,
                                                       /*with_modules=*/false, all_threads());
    std::set<ActivityType> activities{ActivityType::CPU};
    if (at::hasCUDA())
      activities.insert(ActivityType::CUDA);
    else
      ::setenv("KINETO_LOG_LEVEL", "99", 0);  // it would report an error for the GPU that is not there
    torch::autograd::profiler::prepareProfiler(config, activities);
    torch::autograd::profiler::enableProfiler(config, activities);
    torch::autograd::profiler::addMetadataJson("distributedInfo",
                                               fmt::format(R"({{"rank": {}, "world_size": {}}})", rank_, world_size_));
    recording_ = true;
  }
  if (!recording_) return;
  span_.reset();
  if (begins) {
    span_.emplace(at::RecordScope::USER_SCOPE);
    if (span_->isActive()) span_->before(fmt::format("ProfilerStep#{}", step));
  } else if (step >= last_) {
    finish();
  }
}

void StepTrace::finish() {
  recording_ = false;
  span_.reset();
  if (at::hasCUDA()) at::accelerator::synchronizeDevice(at::accelerator::getDeviceIndex());  // the update is under way
  torch::autograd::profiler::disableProfiler()->save(path_);
  log::info("trace of steps {} to {}: {}", first_, last_, path_);
}

}  // namespace masksc
