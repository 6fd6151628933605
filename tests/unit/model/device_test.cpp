#include "masksc/model/device.hpp"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

template <class Thrown>
Failure failure_of(const Thrown& error) {
  try {
    throw error;
  } catch (...) {
    return describe_failure(std::current_exception());
  }
}

TEST(Device, WhatFailsThereIsNoBugOfOurs) {
  ASSERT_TRUE(choose_device("cpu", 0).is_cpu());
  const c10::SourceLocation here{__func__, __FILE__, __LINE__};
  const Failure full = failure_of(c10::OutOfMemoryError(here, "Tried to allocate 3.00 GiB"));
  EXPECT_EQ(full.code, ExitCode::environment);
  EXPECT_THAT(full.message, AllOf(HasSubstr("3.00 GiB"), HasSubstr("--micro-batch"), Not(HasSubstr("frame #"))));
  const Failure fault = failure_of(c10::AcceleratorError(here, 700, "an illegal memory access"));
  EXPECT_EQ(fault.code, ExitCode::environment);
  EXPECT_THAT(fault.message, AllOf(HasSubstr("an illegal memory access"), HasSubstr("start the same command again")));
  EXPECT_EQ(failure_of(c10::AcceleratorError(here, 710, "device-side assert triggered")).code, ExitCode::invariant);
  EXPECT_EQ(failure_of(c10::Error(here, "sizes differ")).code, ExitCode::invariant);
}

}  // namespace
}  // namespace masksc
