// An open file, pipe or folder of the system (a file descriptor) that is closed when its owner goes.
#pragma once

#include <unistd.h>

#include <cerrno>
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

}  // namespace masksc
