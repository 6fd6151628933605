// The bytes of a sealed file: manifest and seal, behind the HDF5 part.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/io/sealed_file.hpp"

namespace masksc {

constexpr std::string_view seal_magic = "MASKSC-S";
constexpr std::int64_t seal_bytes = 24;  // hash, length and magic

/// An open file. Calls throw EnvironmentError with the path and the system's reason.
class RawFile {
 public:
  /// `flags` of open(2).
  RawFile(const std::filesystem::path& path, int flags);
  [[nodiscard]] std::int64_t size() const;
  /// Reads as much as there is; returns the bytes read.
  std::int64_t read(std::int64_t offset, std::span<std::byte> bytes) const;
  void write(std::int64_t offset, std::span<const std::byte> bytes) const;
  void flush() const;

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

/// Adds bytes [begin, end) of a file to a hash. Throws DamagedFile when it ends before.
void hash_bytes(const RawFile& file, std::int64_t begin, std::int64_t end, Hasher& hasher);

/// Hash of all bytes of [0, body) that belong to no array. Throws DamagedFile when arrays overlap or lie outside.
std::string hash_rest(const RawFile& file, std::vector<SealedArray> arrays, std::int64_t body);

/// Manifest and seal as they stand in the file.
std::string make_seal(const Json& header, const std::vector<SealedArray>& arrays, const std::string& rest);

Json describe_array(const SealedArray& array);
SealedArray parse_array(const Json& json);

}  // namespace masksc
