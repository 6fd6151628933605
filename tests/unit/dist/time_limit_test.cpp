// The time limit of a run: how it is written, Slurm's own, and the deadline before it.
#include "masksc/dist/time_limit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <thread>

#include "in_child.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/stop.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

void sleep_seconds(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

TEST(TimeLimit, AsSlurmWritesIt) {
  const std::vector<std::pair<const char*, std::int64_t>> limits = {
      {"90", 5400},    {"0", 0},           {"2:30", 150},         {"1:02:03", 3723},  {"1-0", 86400},
      {"2-3", 183600}, {"1-02:03", 93780}, {"1-02:03:04", 93784}, {"100:0:0", 360000}};
  for (const auto& [text, seconds] : limits) EXPECT_EQ(parse_time_limit(text), seconds) << text;
  EXPECT_EQ(parse_time_limit("none"), std::nullopt);
  for (const char* text : {"", "x", "-5", "1-", "1:", ":1", "1:2:3:4", "1-2:3:4:5", "1.5", " 5", "5 ", "1--2", "NONE"})
    EXPECT_THAT([&] { parse_time_limit(text); }, ThrowsMessage<UserError>(HasSubstr(std::string("'") + text + "'")));
}

/// Seconds from now to the deadline that watch_time_limit() sets, to a tenth; -1 for none within `most`.
double seconds_to_stop(double most, const std::string& limit = "none", std::int64_t grace = 120) {
  watch_time_limit(limit, grace, *single_rank());
  for (double passed = 0; passed < most; passed += 0.1) {
    if (stop_requested()) return passed;
    sleep_seconds(0.1);
  }
  return -1;
}

TEST(TimeLimit, StopsTheGraceBefore) {
  EXPECT_EQ(in_child([] {
              unsetenv("SLURM_JOB_ID");
              const double stop = seconds_to_stop(1.5, "1:01", 60);
              return stop >= 0 && stop_grace_seconds() == 60;
            }),
            0);
  EXPECT_EQ(in_child([] {
              unsetenv("SLURM_JOB_ID");
              return seconds_to_stop(0.3) == -1 && stop_grace_seconds() == 120;
            }),
            0);
}

TEST(TimeLimit, OfAJobThatEndsSoonTakesATenthAsGrace) {
  EXPECT_EQ(in_child([] {
              setenv("SLURM_JOB_ID", "7", 1);
              setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 3).c_str(), 1);
              const double stop = seconds_to_stop(4);
              return stop > 1 && stop_grace_seconds() <= 0.3;
            }),
            0);
  EXPECT_EQ(in_child([] {  // one that is over already is no limit
              setenv("SLURM_JOB_ID", "7", 1);
              setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) - 3).c_str(), 1);
              return seconds_to_stop(0.2) == -1;
            }),
            0);
}

class FakeSqueue : public testing::Test {
 protected:
  FakeSqueue() {
    setenv("SLURM_JOB_ID", "7", 1);
    unsetenv("SLURM_JOB_END_TIME");
    setenv("TZ", "UTC", 1);
    setenv("SLURM_TIME_FORMAT", "relative", 1);
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  ~FakeSqueue() override {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_JOB_END_TIME", "TZ", "SLURM_TIME_FORMAT"}) unsetenv(name);
    setenv("PATH", path_.c_str(), 1);
  }
  void says(const std::string& commands) {
    write_file(folder_ / "squeue", "#!/bin/sh\n" + commands + "\n");
    std::filesystem::permissions(folder_ / "squeue", std::filesystem::perms::owner_all);
  }

  std::string path_ = std::getenv("PATH");
  TemporaryFolder folder_;
};

constexpr std::int64_t noon = 1795608000;  // 2026-11-25T12:00:00 UTC

TEST_F(FakeSqueue, TellsTheEndOfTheJob) {
  says(
      R"(echo "6 2026-11-25T11:00:00"; echo "7 2026-11-25T12:00:00"; echo "$SLURM_TIME_FORMAT $*" > "$(dirname "$0")/asked")");
  EXPECT_EQ(slurm_job_end(), noon);
  EXPECT_EQ(read_file(folder_ / "asked"), "standard --noheader --array --jobs=7 --format=%A %e\n");
}

TEST_F(FakeSqueue, IsNotAskedWhereTheEnvironmentTells) {
  says("touch \"$(dirname \"$0\")/asked\"; echo 7 2026-11-25T12:00:00");
  setenv("SLURM_JOB_END_TIME", "1800000000", 1);
  EXPECT_EQ(slurm_job_end(), 1800000000);
  unsetenv("SLURM_JOB_END_TIME");
  setenv("SLURM_JOB_ID", "7;ls", 1);
  EXPECT_EQ(slurm_job_end(), std::nullopt);
  unsetenv("SLURM_JOB_ID");
  EXPECT_EQ(slurm_job_end(), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "asked"));
}

TEST_F(FakeSqueue, WhatItDoesNotTellIsNoLimit) {
  for (const char* answer : {"echo 7 NONE", "echo 7 N/A", "echo 8 2026-11-25T12:00:00", "true", "echo 7 later",
                             "echo 7 2026-11-25T12:00:00; exit 1"}) {
    says(answer);
    EXPECT_EQ(slurm_job_end(), std::nullopt) << answer;
  }
  setenv("PATH", "/nowhere", 1);
  EXPECT_EQ(slurm_job_end(), std::nullopt);
}

}  // namespace
}  // namespace masksc
