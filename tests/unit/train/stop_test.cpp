// Requests to stop: signals, which may come twice and have other owners, and the time limit, own or Slurm's.
#include "masksc/train/stop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <thread>

#include "masksc/core/files.hpp"
#include "masksc/train/time_limit.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Exit code of a process of its own that does `work` (what a signal changes stays there); 1 where work says no.
int in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    bool holds = false;
    try {
      holds = work();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    _exit(holds ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void sleep_seconds(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

TEST(StopSignals, ListsOfNames) {
  EXPECT_THAT(parse_stop_signals("TERM,USR1,USR2,INT"), ElementsAre(SIGTERM, SIGUSR1, SIGUSR2, SIGINT));
  EXPECT_THAT(parse_stop_signals("SIGUSR1,usr1,Sigterm"), ElementsAre(SIGUSR1, SIGTERM));
  EXPECT_TRUE(parse_stop_signals("none").empty());
  for (const char* list : {"", "TERM,", "TERM INT", "FOO", "KILL", "SIGSTOP", "SEGV", "10", "TERM,none"})
    EXPECT_THAT([&] { parse_stop_signals(list); },
                ThrowsMessage<UserError>(HasSubstr(std::string("--stop-signals ") + list)));
}

TEST(StopSignals, OnlyThoseOfTheListAreCaught) {
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGUSR1});
              const bool before = stop_requested();
              std::raise(SIGUSR1);
              return !before && stop_requested() && stop_reason() == "signal USR1";
            }),
            0);
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGUSR1});
              std::raise(SIGUSR2);
              return true;
            }),
            128 + SIGUSR2);
}

std::atomic<pid_t> interrupted{0};

TEST(StopSignals, DoNotInterruptThreadsThatCompute) {
  EXPECT_EQ(in_child([] {
              struct sigaction notes {};
              notes.sa_handler = [](int) { interrupted = ::gettid(); };
              sigaction(SIGUSR1, &notes, nullptr);
              install_stop_signals({SIGUSR1});
              take_stop_signals_apart({SIGUSR1});
              take_stop_signals_apart({SIGUSR1, SIGUSR2});
              pid_t other = 0;
              std::thread([&] {
                other = ::gettid();
                ::kill(::getpid(), SIGUSR1);
                while (interrupted == 0) sleep_seconds(0.001);
              }).join();
              return stop_requested() && interrupted != ::getpid() && interrupted != other;
            }),
            0);
}

TEST(StopSignals, ThoseThatComeTogetherAreOneRequest) {
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGTERM, SIGUSR1});
              for (const int signal : {SIGTERM, SIGUSR1, SIGUSR1}) std::raise(signal);
              return stop_requested() && stop_reason() == "signal TERM";
            }),
            0);
}

TEST(StopSignals, ALaterOneEndsTheProcessAtOnce) {
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGTERM, SIGUSR1});
              std::raise(SIGTERM);
              sleep_seconds(1.05);
              std::raise(SIGUSR1);
              return true;
            }),
            75);
}

int plain_calls = 0;
int info_calls = 0;
struct sigaction library_replaced {};

void plain_handler(int /*signal*/) { ++plain_calls; }
void info_handler(int signal, siginfo_t* info, void* /*context*/) { info_calls += info->si_signo == signal ? 1 : 0; }
/// As a library does that hands signals on to whoever was there before.
void library_handler(int signal, siginfo_t* info, void* context) {
  ++info_calls;
  library_replaced.sa_sigaction(signal, info, context);
}

TEST(StopSignals, HandlersThatWereThereAreCalledToo) {
  EXPECT_EQ(in_child([] {
              struct sigaction with_info {};
              with_info.sa_sigaction = info_handler;
              with_info.sa_flags = SA_SIGINFO;
              sigaction(SIGUSR1, &with_info, nullptr);
              std::signal(SIGUSR2, plain_handler);
              std::signal(SIGINT, SIG_IGN);
              install_stop_signals({SIGUSR1, SIGUSR2, SIGINT, SIGTERM});
              install_stop_signals({SIGUSR1, SIGUSR2, SIGINT, SIGTERM});
              for (const int signal : {SIGUSR1, SIGUSR2, SIGINT, SIGTERM}) std::raise(signal);
              return plain_calls == 1 && info_calls == 1 && stop_requested();
            }),
            0);
}

TEST(StopSignals, InstalledAgainAboveALibraryThatTookThem) {
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGUSR1});
              struct sigaction library {};
              library.sa_sigaction = library_handler;
              library.sa_flags = SA_SIGINFO;
              sigaction(SIGUSR1, &library, &library_replaced);
              install_stop_signals({SIGUSR1});
              std::raise(SIGUSR1);
              return info_calls == 1 && stop_requested();
            }),
            0);
  EXPECT_EQ(in_child([] {  // a library that swallows them
              install_stop_signals({SIGUSR1});
              std::signal(SIGUSR1, plain_handler);
              install_stop_signals({SIGUSR1});
              std::raise(SIGUSR1);
              return plain_calls == 1 && stop_requested();
            }),
            0);
}

TEST(StopDeadline, AsksByItself) {
  EXPECT_EQ(in_child([] {
              install_stop_signals({SIGTERM});
              set_stop_deadline(std::chrono::steady_clock::now() + std::chrono::seconds(1), 7);
              const bool before = stop_requested();
              sleep_seconds(1.05);
              const bool by_time = stop_requested() && stop_reason() == "time limit" && stop_grace_seconds() == 7;
              std::raise(SIGTERM);  // the scheduler's warning for the same limit is no second request
              return !before && by_time;
            }),
            0);
  EXPECT_EQ(stop_reason(), "another rank");  // nobody asked this process
}

TEST(TimeLimit, AsSlurmWritesIt) {
  const std::vector<std::pair<const char*, std::int64_t>> limits = {
      {"90", 5400},    {"0", 0},           {"2:30", 150},         {"1:02:03", 3723},  {"1-0", 86400},
      {"2-3", 183600}, {"1-02:03", 93780}, {"1-02:03:04", 93784}, {"100:0:0", 360000}};
  for (const auto& [text, seconds] : limits) EXPECT_EQ(parse_time_limit(text), seconds) << text;
  EXPECT_EQ(parse_time_limit("none"), std::nullopt);
  for (const char* text : {"", "x", "-5", "1-", "1:", ":1", "1:2:3:4", "1-2:3:4:5", "1.5", " 5", "5 ", "1--2", "NONE"})
    EXPECT_THAT([&] { parse_time_limit(text); }, ThrowsMessage<UserError>(HasSubstr(std::string("'") + text + "'")));
}

TEST(TimeLimit, MustLeaveRoomForTheGrace) {
  RunSettings settings;
  settings.time_limit = "2:00";
  EXPECT_THAT([&] { validate(settings); }, ThrowsMessage<UserError>(HasSubstr("--time-limit 2:00 is 120 s")));
  settings.time_limit = "2:01";
  EXPECT_NO_THROW(validate(settings));
  settings.grace = -1;
  EXPECT_THROW(validate(settings), UserError);
}

/// Seconds from now to the deadline that watch_time_limit() sets, to a tenth; -1 for none within `most`.
double seconds_to_stop(const RunSettings& settings, double most) {
  watch_time_limit(settings, *single_rank());
  for (double passed = 0; passed < most; passed += 0.1) {
    if (stop_requested()) return passed;
    sleep_seconds(0.1);
  }
  return -1;
}

TEST(TimeLimit, StopsTheGraceBefore) {
  EXPECT_EQ(in_child([] {
              unsetenv("SLURM_JOB_ID");
              RunSettings settings;
              settings.time_limit = "1:01";
              settings.grace = 60;
              const double stop = seconds_to_stop(settings, 1.5);
              return stop >= 0 && stop_grace_seconds() == 60;
            }),
            0);
  EXPECT_EQ(in_child([] {
              unsetenv("SLURM_JOB_ID");
              return seconds_to_stop(RunSettings{}, 0.3) == -1 && stop_grace_seconds() == 120;
            }),
            0);
}

TEST(TimeLimit, OfAJobThatEndsSoonTakesATenthAsGrace) {
  EXPECT_EQ(in_child([] {
              setenv("SLURM_JOB_ID", "7", 1);
              setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 3).c_str(), 1);
              const double stop = seconds_to_stop(RunSettings{}, 4);
              return stop > 1 && stop_grace_seconds() <= 0.3;
            }),
            0);
  EXPECT_EQ(in_child([] {  // one that is over already is no limit
              setenv("SLURM_JOB_ID", "7", 1);
              setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) - 3).c_str(), 1);
              return seconds_to_stop(RunSettings{}, 0.2) == -1;
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
