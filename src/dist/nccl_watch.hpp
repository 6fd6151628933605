// What watches over the operations of one NCCL communicator: NCCL tells of errors only when asked, of a peer that never
// comes not at all.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "masksc/dist/nccl.hpp"

namespace masksc {

/// Events of one device, used again and again.
class NcclEvents {
 public:
  NcclEvents(std::shared_ptr<const NcclApi> api, int device) : api_(std::move(api)), device_(device) {}
  ~NcclEvents();
  NcclEvents(const NcclEvents&) = delete;
  NcclEvents& operator=(const NcclEvents&) = delete;
  /// Returns CUDA's result.
  int take(void** event);
  void give_back(void* event);

 private:
  std::shared_ptr<const NcclApi> api_;
  int device_;
  std::mutex mutex_;
  std::vector<void*> free_;
};

/// An operation on the device, or a call that may keep the host (`events` null).
struct NcclOperation {
  enum class State { calling, running, over };

  NcclOperation(std::string title, std::shared_ptr<NcclEvents> events)
      : name(std::move(title)), pool(std::move(events)) {}
  ~NcclOperation();
  NcclOperation(const NcclOperation&) = delete;
  NcclOperation& operator=(const NcclOperation&) = delete;

  const std::string name;
  const std::shared_ptr<NcclEvents> pool;
  void* ready = nullptr;  // event: the input is there
  void* done = nullptr;   // event: the result is there; recorded once `state` is running
  std::atomic<State> state{State::calling};
  std::optional<std::chrono::steady_clock::time_point> since;  // the watch's: when it saw the operation start
};

class NcclWatch {
 public:
  /// `who` begins every message ("rank 3 of 8").
  NcclWatch(std::shared_ptr<const NcclApi> api, std::string who, const NcclOptions& options);
  ~NcclWatch() { stop(); }
  NcclWatch(const NcclWatch&) = delete;
  NcclWatch& operator=(const NcclWatch&) = delete;

  /// Hands over the communicator, to ask it for errors and to abort it.
  void guard(void* comm);
  /// Takes the communicator back; null when it was aborted.
  void* release();
  /// Throws EnvironmentError once something has failed.
  void add(std::shared_ptr<NcclOperation> operation);
  /// Whether all operations end within `patience`.
  bool drain(std::chrono::milliseconds patience);
  void stop();

  /// Throws EnvironmentError once something has failed.
  void check();
  [[nodiscard]] bool failed();
  /// A call of `operation` returned `code`: if it is an error, throws EnvironmentError, now and at every later check.
  void check_nccl(int code, NcclOperation& operation);
  void check_cuda(int code, NcclOperation& operation);
  /// Frees `comm` by force; on a thread of its own, for this is known to hang, and waits a while for it.
  void abort(void* comm);

 private:
  void run();
  [[noreturn]] void fail(NcclOperation& operation, const char* reason);
  [[nodiscard]] bool launching() const;
  /// With the mutex held: what went wrong, or "".
  std::string look();
  /// With the mutex held: forgets finished operations; what went wrong, or "".
  std::string retire();

  std::shared_ptr<const NcclApi> api_;
  std::string who_;
  NcclOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<NcclOperation>> pending_;       // in the order of the stream
  std::string last_ = "the start of the NCCL communicator";  // the newest operation that ended
  std::string failure_;
  void* comm_ = nullptr;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace masksc
