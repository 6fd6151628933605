// LibTorch's own threads put away while we have ours, or while the bits of an operation must not depend on them.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

class OneThreadEach {
 public:
  /// `wanted` false: changes nothing.
  explicit OneThreadEach(bool wanted = true) : threads_(at::get_num_threads()) {
    if (wanted) at::set_num_threads(1);
  }
  ~OneThreadEach() {
    if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
  }
  OneThreadEach(const OneThreadEach&) = delete;
  OneThreadEach& operator=(const OneThreadEach&) = delete;
  /// LibTorch's threads before.
  [[nodiscard]] int threads() const { return threads_; }

 private:
  int threads_;
};

}  // namespace masksc
