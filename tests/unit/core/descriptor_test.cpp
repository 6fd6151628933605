#include "masksc/core/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace masksc {
namespace {

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }
int opened() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(Descriptor, ClosesWhenItsOwnerGoesAndKeepsTheReason) {
  int number = -1;
  {
    const Descriptor file(opened());
    ASSERT_TRUE(file);
    number = file.number();
    EXPECT_TRUE(is_open(number));
    ::close(number);  // so that closing it again fails, which must not hide the reason for going
    errno = ENOSPC;
  }
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_FALSE(is_open(number));
}

TEST(Descriptor, HasOneOwner) {
  Descriptor first(opened());
  const int number = first.number();
  Descriptor second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what is left is said
  EXPECT_EQ(second.number(), number);
  second = Descriptor(opened());
  EXPECT_FALSE(is_open(number));
  EXPECT_TRUE(second.close());
  EXPECT_FALSE(second);
  EXPECT_FALSE(second.close());
}

TEST(Descriptor, GivesAwayWithoutClosing) {
  int number = -1;
  {
    Descriptor file(opened());
    number = file.release();
  }
  EXPECT_TRUE(is_open(number));
  EXPECT_EQ(::close(number), 0);
}

TEST(Descriptor, OfNothingHoldsNothing) {
  const Descriptor none(::open("/nowhere/at/all", O_RDONLY));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(none);
}

}  // namespace
}  // namespace masksc
