// What settings of a run refuse.
#include "masksc/train/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(TimeLimit, MustLeaveRoomForTheGrace) {
  RunSettings settings;
  settings.time_limit = "2:00";
  EXPECT_THAT([&] { validate(settings); }, ThrowsMessage<UserError>(HasSubstr("--time-limit 2:00 is 120 s")));
  settings.time_limit = "2:01";
  EXPECT_NO_THROW(validate(settings));
  settings.grace = -1;
  EXPECT_THROW(validate(settings), UserError);
}

TEST(TrainSettings, EpochsAreKeysOfRandomNumbers) {
  TrainSettings settings;
  settings.epochs = kMostEpochs;
  EXPECT_NO_THROW(validate(settings));
  settings.epochs = std::int64_t{1} << 40;
  EXPECT_THAT([&] { validate(settings); }, ThrowsMessage<UserError>(HasSubstr("--epochs must lie between")));
}

}  // namespace
}  // namespace masksc
