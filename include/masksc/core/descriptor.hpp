// An open file, pipe or folder of the system (a file descriptor) that is closed when its owner goes, and reading and
// writing whole spans of bytes through it.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace masksc {

class Descriptor {
 public:
  Descriptor() = default;
  /// Of open(2) and the like: below 0 it holds nothing.
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    const int code = errno;  // of what made the owner go, whose reason is still to be told
    close();
    errno = code;
  }

  explicit operator bool() const { return number_ >= 0; }
  [[nodiscard]] int number() const { return number_; }
  /// Gives it away without closing it.
  [[nodiscard]] int release() { return std::exchange(number_, -1); }
  /// Whether it was open and closing, which sends the data on a network file system, went well.
  bool close() { return number_ >= 0 && ::close(release()) == 0; }

 private:
  int number_ = -1;
};

/// Reads from byte `offset` of a file until `bytes` are full or the file ends, and returns how many it read; nothing
/// where the system can't read (errno tells why).
std::optional<std::size_t> read_at(const Descriptor& file, std::uint64_t offset, std::span<std::byte> bytes);

/// Writes all of `bytes` from byte `offset` on. Whether that went well (else errno tells why not).
bool write_at(const Descriptor& file, std::uint64_t offset, std::span<const std::byte> bytes);

struct Pipe {
  Descriptor reading;
  Descriptor writing;
};

/// Both ends close in programs that this process starts. Nothing where the system gives none (errno tells why).
std::optional<Pipe> make_pipe();

/// What comes through a pipe until its other end is closed; "" when that takes longer than `patience`.
std::string read_to_end(const Descriptor& pipe, std::optional<std::chrono::milliseconds> patience = std::nullopt);

}  // namespace masksc
