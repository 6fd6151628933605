// What a process apart returns, throws and survives.
#include "masksc/core/apart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <ctime>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A minute is too long to wait for what is stuck.
class Apart : public ::testing::Test {
 protected:
  void SetUp() override { set_patience(std::chrono::seconds(1)); }
  void TearDown() override { set_patience(std::chrono::seconds(60)); }
};

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST_F(Apart, ReturnsTextAndChangesNothing) {
  int changed = 0;
  const std::string text(100000, 'x');
  EXPECT_EQ(run_apart("'f'",
                      [&] {
                        changed = 1;
                        return text;
                      }),
            text);
  EXPECT_EQ(run_apart("'f'", [] { return std::string(); }), "");
  EXPECT_EQ(changed, 0);
}

TEST_F(Apart, PassesErrorsOn) {
  EXPECT_THAT([] { run_apart("'f'", []() -> std::string { throw UserError("bad 'x'"); }); },
              ThrowsMessage<UserError>("bad 'x'"));
  EXPECT_THAT([] { run_apart("'f'", []() -> std::string { throw EnvironmentError("disk"); }); },
              ThrowsMessage<EnvironmentError>("disk"));
  EXPECT_THAT([] { run_apart("'f'", []() -> std::string { throw std::bad_alloc(); }); },
              ThrowsMessage<EnvironmentError>(HasSubstr("memory")));
  EXPECT_THAT([] { run_apart("'f'", []() -> std::string { throw std::logic_error("odd"); }); },
              ThrowsMessage<InvariantError>("odd"));
}

TEST_F(Apart, SaysWhatCrashed) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE})
    EXPECT_THAT(
        [&] {
          run_apart("'f.h5'", [&] {
            std::raise(signal);
            return std::string();
          });
        },
        ThrowsMessage<UserError>(AllOf(HasSubstr("'f.h5' crashes"), HasSubstr("damaged"))))
        << signal;
  EXPECT_THAT(
      [] {
        run_apart("'f.h5'", [] {
          std::raise(SIGKILL);
          return std::string();
        });
      },
      ThrowsMessage<EnvironmentError>(HasSubstr("memory")));
}

TEST_F(Apart, EndsWorkThatIsStuckAndNoOther) {
  EXPECT_THAT(
      [] {
        run_apart("'f.h5'", [] {
          for (;;) {
            processor_seconds();
          }
          return std::string();
        });
      },
      ThrowsMessage<UserError>(HasSubstr("'f.h5' gets the library that reads it stuck")));
  EXPECT_EQ(run_apart("'f.h5'",
                      [] {
                        while (processor_seconds() < 4) still_working();
                        return std::string("done");
                      }),
            "done");
}

TEST_F(Apart, WithinIsTheSameProcess) {
  EXPECT_EQ(run_apart("'f'",
                      [] {
                        int changed = 0;
                        run_apart("'g'", [&] {
                          changed = 1;
                          return std::string();
                        });
                        return std::to_string(changed);
                      }),
            "1");
}

}  // namespace
}  // namespace masksc
