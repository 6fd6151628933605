#include "sealed_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace masksc {
namespace {

static_assert(std::endian::native == std::endian::little,
              "sealed files are little endian, as all machines we build on");

constexpr std::size_t block_bytes = std::size_t{4} << 20;

void append_number(std::string& text, std::uint64_t number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

}  // namespace

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
