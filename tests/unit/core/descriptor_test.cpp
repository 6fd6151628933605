#include "masksc/core/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <utility>

#include "temporary_folder.hpp"

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

TEST(Descriptor, ReadsWhatThereIsAndSaysWhenItCannot) {
  const TemporaryFolder folder;
  const Descriptor file(::open((folder / "bytes").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::array<std::byte, 3> some = {std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_TRUE(write_at(file, 5, some));
  std::array<std::byte, 6> read{};
  EXPECT_EQ(read_at(file, 4, read), 4U);
  EXPECT_EQ(read, (std::array<std::byte, 6>{std::byte{0}, std::byte{1}, std::byte{2}, std::byte{3}}));
  EXPECT_EQ(read_at(file, 100, read), 0U);
  const Descriptor root(::open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_at(root, 0, read), std::nullopt);
  EXPECT_EQ(errno, EISDIR);
  EXPECT_FALSE(write_at(root, 0, some));
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_FALSE(write_at(full, 0, some));
  EXPECT_EQ(errno, ENOSPC);
}

TEST(Descriptor, ReadsAPipeToItsEndOrForSoLong) {
  std::optional<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_EQ(::write(pipe->writing.number(), "some", 4), 4);
  EXPECT_EQ(read_to_end(pipe->reading, std::chrono::milliseconds(20)), "");  // it may go on
  ASSERT_EQ(::write(pipe->writing.number(), "more", 4), 4);
  pipe->writing.close();
  EXPECT_EQ(read_to_end(pipe->reading, std::chrono::seconds(20)), "more");
}

}  // namespace
}  // namespace masksc
