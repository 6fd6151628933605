// One at a time in a folder; the lock goes with its owner.
#include "masksc/core/folder_lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <memory>
#include <thread>

#include "masksc/core/error.hpp"
#include "message_of.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(FolderLock, IsHeldByOneAndNamesItsOwner) {
  const TemporaryFolder folder;
  const auto file = folder.path() / lock_name;
  {
    const FolderLock lock(file, "--output 'a'");
    const std::string message = message_of([&] { const FolderLock second(file, "--output 'a'", Hold::alone, 10ms); });
    EXPECT_THAT(message, HasSubstr("--output 'a' is in use by process " + std::to_string(::getpid())));
    EXPECT_TRUE(std::filesystem::exists(file));
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  const FolderLock third(file, "--output 'a'", Hold::alone, 10ms);
}

TEST(FolderLock, IsWaitedFor) {
  const TemporaryFolder folder;
  const auto file = folder.path() / lock_name;
  auto lock = std::make_unique<FolderLock>(file, "it");
  const auto second =
      std::async(std::launch::async, [&] { return std::make_unique<FolderLock>(file, "it", Hold::alone, 60s); });
  std::this_thread::sleep_for(50ms);
  lock.reset();
  second.wait();
  EXPECT_TRUE(std::filesystem::exists(file)) << "the second has made it again";
}

TEST(FolderLock, OfAKilledProcessIsTaken) {
  const TemporaryFolder folder;
  const auto file = folder.path() / lock_name;
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(file, "it");
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_NO_THROW(FolderLock(file, "it", Hold::alone, 10ms));
}

TEST(FolderLock, IsSharedByThoseWhoAskForThat) {
  const TemporaryFolder folder;
  const auto file = folder.path() / lock_name;
  auto first = std::make_unique<FolderLock>(file, "it", Hold::shared);
  const FolderLock second(file, "it", Hold::shared, 10ms);
  EXPECT_THROW(FolderLock(file, "it", Hold::alone, 10ms), UserError);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THROW(FolderLock(file, "it", Hold::alone, 10ms), UserError);
}

TEST(FolderLock, LeavesThatOfASuccessor) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "run" / lock_name;
  auto lock = std::make_unique<FolderLock>(file, "it");
  std::filesystem::remove_all(file.parent_path());
  const FolderLock next(file, "it", Hold::alone, 10ms);  // makes folder and file again
  lock.reset();
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THROW(FolderLock(file, "it", Hold::alone, 10ms), UserError);
}

TEST(FolderLock, NeedsAFolder) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "no folder";
  EXPECT_THROW(FolderLock(folder.path() / "file" / lock_name, "it"), EnvironmentError);
}

}  // namespace
}  // namespace masksc
