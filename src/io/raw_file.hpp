// A file read and written as bytes at places, where HDF5 is not asked.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "masksc/core/descriptor.hpp"

namespace masksc {

/// An open file. Calls throw EnvironmentError with the path and the system's reason.
class RawFile {
 public:
  /// `flags` of open(2).
  RawFile(const std::filesystem::path& path, int flags);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::int64_t size() const;
  /// Reads as much as there is; returns the bytes read.
  [[nodiscard]] std::int64_t read(std::int64_t offset, std::span<std::byte> bytes) const;
  void write(std::int64_t offset, std::span<const std::byte> bytes) const;
  void flush() const;

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

}  // namespace masksc
