// A group of ranks at work on points.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "point_records.hpp"

namespace masksc {

/// Of points, in the order in which they are worked on.
using PointIndices = std::vector<std::int64_t>;

class PointGroup {
 public:
  /// All but the ranks must outlive it. A collective of these ranks, as is work().
  PointGroup(const std::vector<Point>& points, const PointSession& session, const std::filesystem::path& folder,
             std::unique_ptr<Collectives> ranks);

  /// Takes points of `mine` that no other group has taken, until none is left or a stop is asked for, and writes their
  /// records. A point that fails is recorded as failed.
  void work(const PointIndices& mine);

 private:
  [[nodiscard]] std::int64_t take(const PointIndices& mine) const;
  bool run(std::size_t index);
  void note_failure(const Point& point, const Failure& failure) const;

  const std::vector<Point>& points_;
  const PointSession& session_;
  const std::filesystem::path& folder_;
  std::unique_ptr<Collectives> ranks_;
  std::unique_ptr<Collectives> control_;  // of the same ranks, for how a point ended; none for one rank
};

}  // namespace masksc
