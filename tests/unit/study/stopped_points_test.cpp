// A stop of one group stops all. The request stays with the process: nothing that polls it may follow in this program,
// so this file is its last.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "masksc/core/stop.hpp"
#include "masksc/study/points.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

TEST(StoppedPoints, AllGroupsStopAndFinishedPointsStay) {
  const TemporaryFolder folder;
  std::vector<Point> points(3);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i].name = std::to_string(i);
    points[i].identity = Json::object();
  }
  points[0].run = [](Collectives&, const std::filesystem::path&) { return Json(7); };
  points[1].run = [&](Collectives&, const std::filesystem::path&) -> Json {
    while (read_points({points[0]}, folder.path())[0].status != PointStatus::done)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    throw StopRequested("asked");
  };
  points[2].run = [&](Collectives&, const std::filesystem::path&) -> Json {
    while (!stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    throw StopRequested("asked too");
  };
  try {
    run_as_threads(2, [&](Collectives& world) { run_points(points, {}, world, folder.path()); });
    FAIL() << "stopped";
  } catch (const StopRequested& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("with 1 of 3 points done"));
  }
  const auto outcomes = read_points(points, folder.path());
  EXPECT_EQ(outcomes[0].result, Json(7));
  EXPECT_EQ(outcomes[1].status, PointStatus::missing);
  EXPECT_EQ(outcomes[2].status, PointStatus::missing);
}

}  // namespace
}  // namespace masksc
