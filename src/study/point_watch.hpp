// The thread beside the work on points: tells of points that end, and of requests to stop that reach one group alone.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "masksc/core/stopwatch.hpp"
#include "point_records.hpp"

namespace masksc {

class PointWatch {
 public:
  /// Looks twice a second: a request to stop becomes a mark of the session, and the mark a request. With `speaks` it
  /// tells of each of `pending` (indices of points) as it ends. All must outlive it.
  PointWatch(const std::vector<Point>& points, std::vector<std::size_t> pending, const PointsSettings& settings,
             const PointSession& session, std::filesystem::path folder, bool speaks);
  ~PointWatch();
  PointWatch(const PointWatch&) = delete;
  PointWatch& operator=(const PointWatch&) = delete;

 private:
  void look();
  void tell(std::size_t index);

  const std::vector<Point>& points_;
  std::vector<std::size_t> pending_;
  const PointsSettings& settings_;
  const PointSession& session_;
  std::filesystem::path folder_;
  bool speaks_;
  Stopwatch stopwatch_;
  double total_cost_ = 0;
  double done_cost_ = 0;
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ended_ = false;
  std::thread thread_;
};

/// Marks of a session.
std::string claim_mark(std::size_t point);
std::string end_mark(std::size_t point);
constexpr const char* stop_mark = "stop";

}  // namespace masksc
