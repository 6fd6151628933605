// Ends a process that waits too long for its peers in a collective operation over MPI, which would wait forever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace masksc {

class WaitWatch {
 public:
  /// `who` begins the message ("rank 1 of 4").
  WaitWatch(std::string who, std::chrono::seconds timeout);
  ~WaitWatch();
  WaitWatch(const WaitWatch&) = delete;
  WaitWatch& operator=(const WaitWatch&) = delete;

  void set_step(std::int64_t step) noexcept { step_ = step; }
  /// `operation` (a literal) begins on this rank; null: it has ended. One at a time.
  void waiting(const char* operation) noexcept;

 private:
  void look();

  std::string who_;
  std::chrono::seconds timeout_;
  std::atomic<std::int64_t> step_{0};
  std::atomic<const char*> operation_{nullptr};
  std::atomic<std::chrono::steady_clock::rep> since_{0};
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace masksc
