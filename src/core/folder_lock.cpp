#include "masksc/core/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/host.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// "process 12 on node3", as its owner wrote it.
std::string read_owner(int file) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  if (size <= 0) return "another process";
  return printable(std::string(text.data(), static_cast<std::size_t>(size)));
}

void write_owner(int file) {
  const std::string owner = fmt::format("process {} on {}", ::getpid(), host_name());
  // For messages alone: a full disk doesn't matter.
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, owner.data(), owner.size(), 0) < 0) log::debug("no owner in a lock");
}

/// Opens the file, and makes it and its folder where they are not there: who held it last may just remove them.
Descriptor open_in_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file)
    throw EnvironmentError(
        fmt::format("cannot write '{}': {}; check free space and permissions", path.string(), std::strerror(errno)));
  return file;
}

/// Whether `path` still names the open file: its last owner may have removed it meanwhile.
bool is_there(int file, const std::filesystem::path& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

}  // namespace

FolderLock::FolderLock(std::filesystem::path file, const std::string& what, Hold hold,
                       std::chrono::milliseconds patience)
    : path_(std::move(file)) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(100))) {
    file_ = open_in_folder(path_);
    const bool taken = ::flock(file_.number(), (hold == Hold::alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0;
    const int code = errno;
    if (taken && is_there(file_.number(), path_)) break;
    const bool late = std::chrono::steady_clock::now() > give_up;
    const std::string owner = late && !taken ? read_owner(file_.number()) : "";
    file_.close();
    if (!taken && code != EWOULDBLOCK) {
      log::debug("'{}' can't be locked: {}", path_.string(), std::strerror(code));
      ::unlink(path_.c_str());
      return;
    }
    if (late && !taken)
      throw UserError(fmt::format("{} is in use by {}: wait for its end, or choose another folder", what, owner));
    if (late) {
      log::debug("'{}' is never the file that was opened: not locked", path_.string());
      return;
    }
  }
  write_owner(file_.number());
}

FolderLock::~FolderLock() {
  if (!file_) return;
  const bool last = ::flock(file_.number(), LOCK_EX | LOCK_NB) == 0;  // others that share it need the file
  if (last && is_there(file_.number(), path_)) ::unlink(path_.c_str());
}

}  // namespace masksc
