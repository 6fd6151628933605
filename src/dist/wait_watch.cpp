#include "wait_watch.hpp"

#include <cstdlib>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {

using Clock = std::chrono::steady_clock;

WaitWatch::WaitWatch(std::string who, std::chrono::seconds timeout)
    : who_(std::move(who)), timeout_(timeout), thread_([this] { look(); }) {}

WaitWatch::~WaitWatch() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  ends_.notify_all();
  thread_.join();
}

void WaitWatch::waiting(const char* operation) noexcept {
  since_ = Clock::now().time_since_epoch().count();
  operation_ = operation;
}

void WaitWatch::look() {
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, std::chrono::milliseconds(200), [&] { return ended_; })) {
    const char* const operation = operation_;
    if (operation == nullptr) continue;
    if (Clock::now().time_since_epoch() - Clock::duration(since_.load()) < timeout_) continue;
    const std::int64_t step = step_;
    log::error(
        "{} has waited {} s for the others in {}{}: a rank has ended, hangs, or is very slow; look at its node "
        "and start the same command again to go on from the last checkpoint (--collective-timeout sets the limit)",
        who_, timeout_.count(), operation, step > 0 ? fmt::format(" at step {}", step) : std::string());
    std::_Exit(static_cast<int>(ExitCode::environment));
  }
}

}  // namespace masksc
