#include "wait_watch.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {

using Clock = std::chrono::steady_clock;

WaitWatch::WaitWatch(std::string who, std::chrono::seconds patience)
    : who_(std::move(who)),
      patience_(patience),
      since_(Clock::now().time_since_epoch().count()),
      thread_([this] { look(); }) {}

WaitWatch::~WaitWatch() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  ends_.notify_all();
  thread_.join();
}

void WaitWatch::limit(std::chrono::seconds timeout, std::function<std::string()> peers) {
  const std::scoped_lock lock(mutex_);
  timeout_ = timeout;
  peers_ = std::move(peers);
}

void WaitWatch::begin_step(std::int64_t step) noexcept {
  step_began_ = Clock::now();
  since_ = step_began_.time_since_epoch().count();
  step_ = step;
  if (step == 0) {
    longest_step_ = 0;
    steps_done_ = 0;
  }
  in_step_ = step > 0;
}

void WaitWatch::end_step() noexcept {
  in_step_ = false;
  const auto now = Clock::now();
  since_ = now.time_since_epoch().count();
  longest_step_ = std::max(longest_step_.load(), (now - step_began_).count());
  ++steps_done_;
}

RankActivity WaitWatch::activity() const noexcept {
  RankActivity activity{.operation = operation_, .step = step_};
  constexpr int enough = 3;  // steps, to tell what is usual
  if (in_step_ && steps_done_ >= enough) activity.longest_step = Clock::duration(longest_step_.load());
  activity.lasting = Clock::now().time_since_epoch() - Clock::duration(since_.load());  // last: at worst too short
  return activity;
}

void WaitWatch::waiting(const char* operation) noexcept {
  since_ = Clock::now().time_since_epoch().count();
  operation_ = operation;
}

void WaitWatch::look() {
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, std::chrono::milliseconds(200), [&] { return ended_; })) {
    const RankActivity now = activity();
    if (now.operation == nullptr || timeout_.count() == 0 || now.lasting < timeout_ + patience_) continue;
    const std::string peers = peers_ ? peers_() : std::string();
    log::error(
        "{} has waited {} s for the others in {}{}: {}; look at its node "
        "and start the same command again to go on from the last checkpoint (--collective-timeout sets the limit)",
        who_, std::chrono::duration_cast<std::chrono::seconds>(now.lasting).count(), now.operation,
        now.step > 0 ? fmt::format(" at step {}", now.step) : std::string(),
        peers.empty() ? "a rank has ended, hangs, or is very slow" : peers);
    std::_Exit(static_cast<int>(ExitCode::environment));
  }
}

}  // namespace masksc
