#include "point_watch.hpp"

#include <fmt/format.h>

#include "masksc/core/log.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

std::string claim_mark(std::size_t point) { return fmt::format("claim-{}", point); }
std::string end_mark(std::size_t point) { return fmt::format("end-{}", point); }

PointWatch::PointWatch(const std::vector<Point>& points, std::vector<std::size_t> pending,
                       const PointsSettings& settings, const PointSession& session, std::filesystem::path folder,
                       bool speaks)
    : points_(points),
      pending_(std::move(pending)),
      settings_(settings),
      session_(session),
      folder_(std::move(folder)),
      speaks_(speaks) {
  for (const std::size_t point : pending_) total_cost_ += points_[point].cost;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!ends_.wait_for(lock, std::chrono::milliseconds(500), [&] { return ended_; })) {
      lock.unlock();
      look();
      lock.lock();
    }
  });
}

PointWatch::~PointWatch() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  ends_.notify_all();
  thread_.join();
  look();
}

void PointWatch::look() {
  try {
    if (stop_requested()) static_cast<void>(session_.mark(stop_mark));
    if (session_.marked(stop_mark)) request_stop();
    if (!speaks_) return;
    for (auto at = pending_.begin(); at != pending_.end();) {
      if (!session_.marked(end_mark(*at))) {
        ++at;
        continue;
      }
      const std::size_t point = *at;
      at = pending_.erase(at);
      tell(point);
    }
  } catch (const std::exception& e) {  // the work itself meets what is wrong with the folder
    log::debug("{}", e.what());
  }
}

void PointWatch::tell(std::size_t index) {
  const Point& point = points_[index];
  done_cost_ += point.cost;
  const PointOutcome outcome = read_record(folder_, point, false);
  const std::size_t all = settings_.only >= 0 ? 1 : points_.size();
  const std::string count = fmt::format("{} {} of {}", settings_.what, all - pending_.size(), all);
  if (outcome.status == PointStatus::failed) {
    log::warning("{} failed: {}: {}", count, point.name, outcome.failure.message);
    return;
  }
  const std::string detail = settings_.describe ? settings_.describe(outcome.result) : "";
  std::string left;
  if (!pending_.empty() && done_cost_ > 0)
    left = fmt::format(", ETA {}", format_duration(stopwatch_.seconds() * (total_cost_ - done_cost_) / done_cost_));
  log::info("{} done: {}{}{}{}", count, point.name, detail.empty() ? "" : ", ", detail, left);
}

}  // namespace masksc
