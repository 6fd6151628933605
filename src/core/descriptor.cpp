#include "masksc/core/descriptor.hpp"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace masksc {
namespace {

constexpr std::size_t greatest_call = std::size_t{1} << 30;  // Linux moves at most 2 GiB at a time

}  // namespace

std::optional<std::size_t> read_at(const Descriptor& file, std::uint64_t offset, std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(file.number(), bytes.data() + done, std::min(bytes.size() - done, greatest_call),
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

bool write_at(const Descriptor& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(file.number(), bytes.data(), std::min(bytes.size(), greatest_call), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return true;
}

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::string read_to_end(const Descriptor& pipe, std::optional<std::chrono::milliseconds> patience) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::string text;
  std::array<char, 4096> bytes{};
  for (;;) {
    if (patience) {
      const auto left = *patience - std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
      pollfd ready{pipe.number(), POLLIN, 0};
      if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) return "";
    }
    const ssize_t got = ::read(pipe.number(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace masksc
