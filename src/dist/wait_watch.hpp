// Ends a process that waits too long for its peers in a collective operation over MPI, which would wait forever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "masksc/dist/collectives.hpp"

namespace masksc {

class WaitWatch {
 public:
  /// `who` begins the message ("rank 1 of 4"); `patience` comes on top of the limit: who knows less speaks later.
  WaitWatch(std::string who, std::chrono::seconds patience);
  ~WaitWatch();
  WaitWatch(const WaitWatch&) = delete;
  WaitWatch& operator=(const WaitWatch&) = delete;

  /// How long it lets this rank wait (0: however long), and what tells of the others in the message.
  void limit(std::chrono::seconds timeout, std::function<std::string()> peers);
  /// As Collectives::begin_step and end_step.
  void begin_step(std::int64_t step) noexcept;
  void end_step() noexcept;
  /// `operation` (a literal) begins on this rank; null: it has ended. One at a time.
  void waiting(const char* operation) noexcept;
  [[nodiscard]] RankActivity activity() const noexcept;

 private:
  void look();

  std::string who_;
  std::chrono::seconds patience_;
  std::atomic<std::int64_t> step_{0};
  std::atomic<bool> in_step_{false};
  std::atomic<std::chrono::steady_clock::rep> longest_step_{0};
  std::atomic<int> steps_done_{0};
  std::chrono::steady_clock::time_point step_began_;  // the main thread's
  std::atomic<const char*> operation_{nullptr};
  std::atomic<std::chrono::steady_clock::rep> since_{0};
  std::mutex mutex_;
  std::condition_variable ends_;
  std::chrono::seconds timeout_{0};
  std::function<std::string()> peers_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace masksc
