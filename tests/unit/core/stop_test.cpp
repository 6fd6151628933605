// Requests to stop: signals, which may come twice and have other owners, and a deadline.
#include "masksc/core/stop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "in_child.hpp"

namespace masksc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

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

}  // namespace
}  // namespace masksc
