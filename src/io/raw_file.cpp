#include "raw_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
  throw EnvironmentError(
      fmt::format("cannot {} '{}': {}; check free space and permissions", what, path.string(), std::strerror(errno)));
}

}  // namespace

RawFile::RawFile(const std::filesystem::path& path, int flags)
    : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
  if (!descriptor_) fail("open", path_);
}

std::int64_t RawFile::size() const {
  struct stat status {};
  if (::fstat(descriptor_.number(), &status) != 0) fail("read", path_);
  return static_cast<std::int64_t>(status.st_size);
}

std::int64_t RawFile::read(std::int64_t offset, std::span<std::byte> bytes) const {
  const std::optional<std::size_t> got = read_at(descriptor_, static_cast<std::uint64_t>(offset), bytes);
  if (!got) fail("read", path_);
  return static_cast<std::int64_t>(*got);
}

void RawFile::write(std::int64_t offset, std::span<const std::byte> bytes) const {
  if (!write_at(descriptor_, static_cast<std::uint64_t>(offset), bytes)) fail("write", path_);
}

void RawFile::flush() const {
  if (::fsync(descriptor_.number()) != 0) fail("flush", path_);
}

}  // namespace masksc
