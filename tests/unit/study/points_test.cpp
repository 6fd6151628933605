// Points of a study: dealt to groups, recorded, resumed, replaced.
#include "masksc/study/points.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "masksc/core/files.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using ::testing::HasSubstr;

/// Points that count their calls, and give their number, ranks and group.
class Points : public ::testing::Test {
 protected:
  Point point(int number, int ranks = 1) {
    Point made;
    made.name = fmt::format("number={}", number);
    made.identity = {{"number", number}};
    made.ranks = ranks;
    made.run = [this, number](Collectives& group, const std::filesystem::path& folder) {
      if (group.is_root()) {
        const std::scoped_lock lock(mutex_);
        ++calls_[number];
        order_.push_back(number);
        EXPECT_EQ(folder, folder_.path() / "points" / (fmt::format("number={}", number)));
      }
      const std::int32_t sum = group.all_reduce(std::int32_t{1});
      EXPECT_EQ(sum, group.size());
      return Json{{"number", number}, {"ranks", sum}};
    };
    return made;
  }
  std::vector<PointOutcome> run(const std::vector<Point>& points, int ranks, const PointsSettings& settings = {}) {
    std::vector<PointOutcome> outcomes;
    run_as_threads(ranks, [&](Collectives& world) {
      std::vector<Point> known = points;
      if (!world.is_root())
        for (Point& point : known) point.identity = nullptr;
      std::vector<PointOutcome> mine = run_points(known, settings, world, folder_.path());
      if (world.is_root())
        outcomes = std::move(mine);
      else
        EXPECT_TRUE(mine.empty());
    });
    return outcomes;
  }

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::map<int, int> calls_;
  std::vector<int> order_;
};

TEST_F(Points, EachRunsOnceOnAsManyRanksAsItWants) {
  std::vector<Point> points;
  for (int i = 0; i < 9; ++i) points.push_back(point(i, i % 3 + 1));
  const auto outcomes = run(points, 5);
  ASSERT_EQ(outcomes.size(), 9U);
  for (int i = 0; i < 9; ++i) {
    const PointOutcome& outcome = outcomes[static_cast<std::size_t>(i)];
    EXPECT_EQ(outcome.status, PointStatus::done);
    EXPECT_EQ(outcome.result, (Json{{"number", i}, {"ranks", i % 3 + 1}}));
    EXPECT_EQ(calls_[i], 1);
  }
  EXPECT_EQ(exit_code(outcomes), ExitCode::done);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "points" / ".session"));
}

TEST_F(Points, GroupsWorkAtTheSameTimeUnlessLimited) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<Point> points;
  for (int i = 0; i < 6; ++i) {
    points.push_back(point(i));
    points.back().run = [&](Collectives&, const std::filesystem::path&) {
      most = std::max(most.load(), ++inside);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      --inside;
      return Json(1);
    };
  }
  run(points, 3);
  EXPECT_GT(most, 1);
  most = 0;
  std::filesystem::remove_all(folder_.path() / "points");
  PointsSettings alone;
  alone.groups = 1;
  run(points, 3, alone);
  EXPECT_EQ(most, 1);
}

TEST_F(Points, TheDearestComesFirst) {
  std::vector<Point> points = {point(0), point(1), point(2), point(3)};
  points[2].cost = 5;
  points[3].cost = 2;
  run(points, 1);
  EXPECT_EQ(order_, (std::vector<int>{2, 3, 0, 1}));
}

TEST_F(Points, FailuresAreRecordedAndTriedAgain) {
  bool broken = true;
  std::vector<Point> points = {point(0, 2), point(1, 2), point(2, 2)};
  points[1].run = [&](Collectives& group, const std::filesystem::path&) -> Json {
    if (broken && group.rank() == 1) throw EnvironmentError("the disk is full");
    if (broken) throw EnvironmentError("a peer failed");
    return Json("mended");
  };
  auto outcomes = run(points, 4);
  EXPECT_EQ(outcomes[0].status, PointStatus::done);
  EXPECT_EQ(outcomes[2].status, PointStatus::done);
  EXPECT_EQ(outcomes[1].status, PointStatus::failed);
  EXPECT_EQ(outcomes[1].failure.message, "a peer failed");
  EXPECT_EQ(exit_code(outcomes), ExitCode::environment);
  broken = false;
  outcomes = run(points, 4);
  EXPECT_EQ(outcomes[1].status, PointStatus::done);
  EXPECT_EQ(outcomes[1].result, Json("mended"));
  EXPECT_EQ(calls_[0], 1) << "finished points are not run again";
  EXPECT_EQ(exit_code(outcomes), ExitCode::done);
}

TEST_F(Points, AnotherIdentityIsRefusedOrReplaced) {
  std::vector<Point> points = {point(0), point(1)};
  run(points, 1);
  write_file(folder_.path() / "points" / "old", "");
  points[1].identity["epochs"] = 4;
  std::filesystem::create_directories(folder_.path() / "points" / "number=1" / "old");
  try {
    run(points, 2);
    FAIL() << "another identity";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("number=1 with epochs = (none), now it is 4"));
    EXPECT_THAT(error.what(), HasSubstr("--overwrite"));
  }
  EXPECT_EQ(calls_[0] + calls_[1], 2);
  PointsSettings settings;
  settings.overwrite = true;
  run(points, 2, settings);
  EXPECT_EQ(calls_[0], 1);
  EXPECT_EQ(calls_[1], 2);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "points" / "number=1" / "old"));
}

TEST_F(Points, OneAloneAndThenTheirRecords) {
  const std::vector<Point> points = {point(0), point(1), point(2)};
  PointsSettings settings;
  settings.only = 1;
  run(points, 2, settings);
  EXPECT_EQ(order_, std::vector<int>{1});
  const auto outcomes = read_points(points, folder_.path());
  EXPECT_EQ(outcomes[0].status, PointStatus::missing);
  EXPECT_EQ(outcomes[1].status, PointStatus::done);
}

TEST_F(Points, WrongPointsAreRefusedBeforeAnyWork) {
  EXPECT_THROW(run({point(0), point(0)}, 2), UserError);
  EXPECT_THROW(run({point(0), point(1, 3)}, 2), UserError);
  Point misnamed = point(1);
  misnamed.name = "a/b";
  EXPECT_THROW(run({point(0), misnamed}, 2), InvariantError);
  EXPECT_TRUE(order_.empty());
  run({point(0)}, 1);
  std::ofstream(folder_.path() / "points" / "number=0.json") << "{";
  EXPECT_THROW(run({point(0)}, 2), UserError);
}

TEST(FileName, KeepsWhatFilesAndPeopleCanRead) {
  EXPECT_EQ(file_name("mask-ratio=0.5_genes=a/b c.txt"), "mask-ratio=0.5_genes=a_b_c.txt");
  EXPECT_EQ(file_name("../x"), "_._x");
}

}  // namespace
}  // namespace masksc
