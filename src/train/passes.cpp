#include "masksc/train/passes.hpp"

#include <ATen/record_function.h>

#include <utility>

namespace masksc {
namespace {

at::Tensor copied(const at::Tensor& value) { return value.defined() ? value.clone() : value; }

}  // namespace

LossShares RecordedPass::launch(const std::vector<at::Tensor>& inputs, const std::function<void()>& halfway) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) at::Tensor(own_inputs[i]).copy_(inputs[i]);
  {
    RECORD_USER_SCOPE("forward");
    forward->launch();
  }
  halfway();
  {
    RECORD_USER_SCOPE("backward");
    backward->launch();
  }
  return {copied(shares.masked), copied(shares.guidance)};
}

const RecordedPass* RecordedPasses::find(const Kind& kind, const std::function<RecordedPass(Recorder&)>& record) {
  Entry& entry = entries_[kind];
  if (!std::exchange(entry.seen, true)) return nullptr;
  if (!entry.pass) entry.pass = std::make_unique<RecordedPass>(record(*recorder_));
  return entry.pass.get();
}

void RecordedPasses::forget() { entries_.clear(); }

}  // namespace masksc
