// The threads that LibTorch computes with.
#pragma once

namespace masksc {

/// Those of this process's operations, and of loops of ours that ask for as many.
int compute_threads();
void set_compute_threads(int threads);

/// LibTorch's own threads put away while we have ours, or while the bits of an operation must not depend on them.
class OneThreadEach {
 public:
  /// `wanted` false: changes nothing.
  explicit OneThreadEach(bool wanted = true);
  ~OneThreadEach();
  OneThreadEach(const OneThreadEach&) = delete;
  OneThreadEach& operator=(const OneThreadEach&) = delete;
  /// LibTorch's threads before.
  [[nodiscard]] int threads() const { return threads_; }

 private:
  int threads_;
};

}  // namespace masksc
