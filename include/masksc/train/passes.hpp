// Forward and backward passes of a step: asked of the device operation by operation, or recorded and then started
// whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "masksc/model/torch.hpp"
#include "masksc/train/recording.hpp"

namespace masksc {

/// Shares of one pass in the loss of the global batch; they add up over passes and ranks.
struct LossShares {
  at::Tensor masked;
  at::Tensor guidance;  // undefined without guidance
};

/// The passes of a step; that of pass i is loss(inputs(i)).
struct StepPasses {
  std::int64_t count = 1;
  /// Tensors on the device; all that differs from one pass to the next, but for `constants`.
  std::function<std::vector<at::Tensor>(std::int64_t pass)> inputs = nullptr;
  std::function<LossShares(const std::vector<at::Tensor>& inputs)> loss;
  /// Numbers of the host that the loss depends on and that differ between steps, such as the cells of a global batch.
  std::vector<double> constants = {};
};

/// A pass whose operations are recorded.
struct RecordedPass {
  /// Does the pass on `inputs`; halfway() is called between forward and backward.
  [[nodiscard]] LossShares launch(const std::vector<at::Tensor>& inputs, const std::function<void()>& halfway) const;

  std::vector<at::Tensor> own_inputs;  // the tensors that were recorded
  std::unique_ptr<Recording> forward;
  std::unique_ptr<Recording> backward;
  LossShares shares;  // overwritten by every launch
};

/// Recorded passes by kind: the numbers that make their operations others.
class RecordedPasses {
 public:
  using Kind = std::vector<double>;
  explicit RecordedPasses(std::unique_ptr<Recorder> recorder) : recorder_(std::move(recorder)) {}

  /// What to launch for a pass of this kind. Null when the kind comes for the first time: its operations are asked for
  /// one by one, by which libraries load and choose what they need. `record` makes it the second time.
  const RecordedPass* find(const Kind& kind, const std::function<RecordedPass(Recorder&)>& record);
  void forget();  // all of them

 private:
  struct Entry {
    bool seen = false;
    std::unique_ptr<RecordedPass> pass;
  };
  std::unique_ptr<Recorder> recorder_;
  std::map<Kind, Entry> entries_;
};

}  // namespace masksc
