#include "masksc/core/terminal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::StartsWith;

/// Standard error is a file while `work` runs; the environment says what is at its end.
template <typename Work>
std::string written(const char* term, const char* columns, Work&& work) {
  ::setenv("TERM", term, 1);
  ::setenv("MASKSC_TERMINAL", columns, 1);
  testing::internal::CaptureStderr();
  work();
  ::unsetenv("MASKSC_TERMINAL");
  return testing::internal::GetCapturedStderr();
}

TEST(Terminal, ColumnsAreThoseThatAreTold) {
  int columns = -1;
  const auto look = [&] { columns = terminal_columns(); };
  for (const auto& [term, told, expected] : {std::tuple{"xterm", "120", 120},
                                             {"xterm", "", 0},
                                             {"xterm", "12x", 0},
                                             {"xterm", "-5", 0},
                                             {"dumb", "120", 0}}) {
    written(term, told, look);
    EXPECT_EQ(columns, expected) << term << " " << told;
  }
}

TEST(Terminal, TheLineIsCutAtCharacters) {
  EXPECT_EQ(written("xterm", "4", [] { show_moving_line("äöüß"); }), "\r\x1b[Käöü");
  EXPECT_EQ(written("xterm", "9", [] { end_moving_line(); }), "\n");
}

TEST(Terminal, AMessageTakesThePlaceOfTheMovingLine) {
  const std::string text = written("xterm", "80", [] {
    Progress progress("training: step", 10, true);
    progress.update(1, "loss 2");
    log::warning("hello");
    log::debug("not shown");
  });
  EXPECT_THAT(text, AllOf(StartsWith("\r\x1b[Ktraining: step 1/10 (10%), loss 2"), EndsWith(" hello\n")));
  EXPECT_THAT(text, ::testing::ContainsRegex("loss 2\r\x1b\\[K[0-9:]+ "));
}

TEST(Terminal, TheFirstStepTellsNothingOfTheTimeLeft) {
  const std::string text = written("xterm", "80", [] {
    Progress progress("training: step", 1001, true);
    progress.update(1, "loss 2");  // it may have waited for data
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    progress.update(501, "loss 1");
  });
  EXPECT_THAT(text, ::testing::ContainsRegex("1/1001 \\(0%\\), loss 2\r"));
  EXPECT_THAT(text, ::testing::ContainsRegex("501/1001 \\(50%\\), loss 1, [0-9.]+ s left"));
}

}  // namespace
}  // namespace masksc
