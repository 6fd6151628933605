// What the log of a run tells of its processes.
#include "masksc/core/run_log.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "temporary_folder.hpp"

namespace masksc {
namespace {

TEST(LoggedSeconds, AreThoseOfEachProcessAndNotBetweenThem) {
  const TemporaryFolder folder;
  const auto path = folder / "log.jsonl";
  EXPECT_EQ(logged_seconds(path), 0) << "without a log";
  std::ofstream(path) << R"({"event": "begin", "time": 100.0}
{"step": 1, "time": 103.5}
{"stage": "train"}
no JSON
{"step": 2, "time": 104.0}
{"event": "begin", "time": 900.0}
{"step": 2, "time": 899.0}
{"step": 3, "time": 901.25}
)";
  EXPECT_DOUBLE_EQ(logged_seconds(path), 4 + 2.25) << "a clock that goes back takes nothing away";
}

TEST(LoggedSeconds, OfWhatRunLogWrites) {
  const TemporaryFolder folder;
  const auto path = folder / "log.jsonl";
  {
    RunLog log(path);
    log.event("prepare", begin_event, 0);
    log.event("sequence", "start", 0);
  }
  const double seconds = logged_seconds(path);
  EXPECT_GE(seconds, 0);
  EXPECT_LT(seconds, 60);
}

}  // namespace
}  // namespace masksc
