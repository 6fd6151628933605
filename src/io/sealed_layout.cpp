#include "sealed_layout.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace masksc {
namespace {

static_assert(std::endian::native == std::endian::little,
              "sealed files are little endian, as all machines we build on");

constexpr std::size_t block_bytes = std::size_t{4} << 20;

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
  throw EnvironmentError(
      fmt::format("cannot {} '{}': {}; check free space and permissions", what, path.string(), std::strerror(errno)));
}

void append_number(std::string& text, std::uint64_t number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof(number));
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
  std::int64_t done = 0;
  while (!bytes.empty()) {
    const ssize_t got = ::pread(descriptor_.number(), bytes.data(), std::min(bytes.size(), block_bytes),
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path_);
    if (got == 0) break;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    done += got;
  }
  return done;
}

void RawFile::write(std::int64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(descriptor_.number(), bytes.data(), std::min(bytes.size(), block_bytes), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) fail("write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += put;
  }
}

void RawFile::flush() const {
  if (::fsync(descriptor_.number()) != 0) fail("flush", path_);
}

void hash_bytes(const RawFile& file, std::int64_t begin, std::int64_t end, Hasher& hasher) {
  std::vector<std::byte> block(std::min(block_bytes, static_cast<std::size_t>(std::max<std::int64_t>(end - begin, 0))));
  while (begin < end) {
    const std::span<std::byte> part(block.data(), std::min(block.size(), static_cast<std::size_t>(end - begin)));
    if (file.read(begin, part) != static_cast<std::int64_t>(part.size())) throw DamagedFile("the file is cut off");
    hasher.add(std::span<const std::byte>(part));
    begin += static_cast<std::int64_t>(part.size());
  }
}

std::string hash_rest(const RawFile& file, std::vector<SealedArray> arrays, std::int64_t body) {
  std::sort(arrays.begin(), arrays.end(),
            [](const SealedArray& a, const SealedArray& b) { return a.offset < b.offset; });
  Hasher hasher;
  std::int64_t at = 0;
  for (const SealedArray& array : arrays) {
    if (array.bytes == 0) continue;
    if (array.offset < at || array.bytes < 0 || array.bytes > body - array.offset)
      throw DamagedFile(fmt::format("array '{}' lies outside", array.name));
    hash_bytes(file, at, array.offset, hasher);
    at = array.offset + array.bytes;
  }
  hash_bytes(file, at, body, hasher);
  return hasher.hex();
}

std::string make_seal(const Json& header, const std::vector<SealedArray>& arrays, const std::string& rest) {
  Json manifest = {{"format", sealed_format}, {"header", header}, {"arrays", Json::array()}, {"rest", rest}};
  for (const SealedArray& array : arrays) manifest["arrays"].push_back(describe_array(array));
  std::string text = manifest.dump();
  Hasher hasher;
  hasher.add(text);
  const auto length = static_cast<std::uint64_t>(text.size());
  append_number(text, hasher.value());
  append_number(text, length);
  return text.append(seal_magic);
}

Json describe_array(const SealedArray& array) {
  return {{"name", array.name},
          {"shape", array.shape},
          {"offset", array.offset},
          {"bytes", array.bytes},
          {"xxh3", array.hash}};
}

SealedArray parse_array(const Json& json) {
  return {json.at("name").get<std::string>(), json.at("shape").get<std::vector<std::int64_t>>(),
          json.at("offset").get<std::int64_t>(), json.at("bytes").get<std::int64_t>(),
          json.at("xxh3").get<std::string>()};
}

}  // namespace masksc
