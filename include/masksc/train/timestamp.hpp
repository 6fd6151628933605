// Moments of a computation, for the time between them.
#pragma once

#include <chrono>
#include <memory>

#include "masksc/model/torch.hpp"

namespace c10 {
struct Event;
}

namespace masksc {

/// What this thread has asked of a device so far is done: on a CPU that is now; on a GPU, which the host runs ahead of,
/// when its stream gets there.
class Timestamp {
 public:
  explicit Timestamp(at::Device device);
  /// Seconds since `earlier`, on the same device. On a GPU the host waits until the stream got here.
  [[nodiscard]] double since(const Timestamp& earlier) const;

 private:
  std::chrono::steady_clock::time_point host_;
  std::shared_ptr<c10::Event> event_;  // on a GPU
};

/// What lies between two moments.
struct Interval {
  Timestamp begin;
  Timestamp end;
  [[nodiscard]] double seconds() const { return end.since(begin); }
};

}  // namespace masksc
