// 64-bit content hashes (XXH3), written as 16 hexadecimal digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace masksc {

/// Incremental hash of bytes, in the order given.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::span<const std::byte> bytes);
  template <typename T>
  void add(std::span<const T> values) {
    add(std::as_bytes(values));
  }
  void add(const std::string& text);
  [[nodiscard]] std::uint64_t value() const;
  [[nodiscard]] std::string hex() const;

 private:
  void* state_;
};

}  // namespace masksc
