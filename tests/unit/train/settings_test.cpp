// What settings of training refuse.
#include "masksc/train/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(TrainSettings, EpochsAreKeysOfRandomNumbers) {
  TrainSettings settings;
  settings.epochs = kMostEpochs;
  EXPECT_NO_THROW(validate(settings));
  settings.epochs = std::int64_t{1} << 40;
  EXPECT_THAT([&] { validate(settings); }, ThrowsMessage<UserError>(HasSubstr("--epochs must lie between")));
}

}  // namespace
}  // namespace masksc
