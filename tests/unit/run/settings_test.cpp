// What settings of a run refuse.
#include "masksc/run/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(RunSettings, TimeLimitsMustLeaveRoomForTheGrace) {
  RunSettings settings;
  settings.time_limit = "2:00";
  EXPECT_THAT([&] { validate(settings); }, ThrowsMessage<UserError>(HasSubstr("--time-limit 2:00 is 120 s")));
  settings.time_limit = "2:01";
  EXPECT_NO_THROW(validate(settings));
  settings.grace = -1;
  EXPECT_THROW(validate(settings), UserError);
}

}  // namespace
}  // namespace masksc
