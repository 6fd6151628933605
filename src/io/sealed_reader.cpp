// Checking and reading sealed files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"
#include "sealed_layout.hpp"

namespace masksc {
namespace {

constexpr std::int64_t largest_manifest = std::int64_t{1} << 30;

/// The manifest, once its checksum is right. Throws DamagedFile.
Json read_manifest(const RawFile& file, std::int64_t size, std::int64_t& body) {
  std::string seal(static_cast<std::size_t>(seal_bytes), '\0');
  if (size < seal_bytes || file.read(size - seal_bytes, std::as_writable_bytes(std::span(seal))) != seal_bytes ||
      seal.substr(16) != seal_magic)
    throw DamagedFile("it has no seal: cut off, or not written by this version of mask-sc");
  std::uint64_t hash = 0;
  std::uint64_t length = 0;
  std::memcpy(&hash, seal.data(), sizeof(hash));
  std::memcpy(&length, seal.data() + sizeof(hash), sizeof(length));
  body = size - seal_bytes - static_cast<std::int64_t>(std::min<std::uint64_t>(length, largest_manifest));
  if (length > static_cast<std::uint64_t>(largest_manifest) || body < 0) throw DamagedFile("its seal is broken");
  std::string text(static_cast<std::size_t>(length), '\0');
  Hasher hasher;
  if (file.read(body, std::as_writable_bytes(std::span(text))) == static_cast<std::int64_t>(length)) hasher.add(text);
  if (hasher.value() != hash) throw DamagedFile("its manifest does not agree with its checksum");
  try {
    return parse_json(text, "its manifest");
  } catch (const UserError& e) {
    throw DamagedFile(e.what());
  }
}

/// Throws DamagedFile unless the array's place, shape and bytes agree.
void check_array(const RawFile& file, const SealedArray& array, std::int64_t body) {
  std::int64_t bytes = sizeof(float);
  bool sound = array.offset >= 0 && array.bytes >= 0 && array.bytes <= body && array.offset <= body - array.bytes;
  for (const std::int64_t extent : array.shape)
    sound = sound && extent >= 0 && !__builtin_mul_overflow(bytes, extent, &bytes);
  if (!sound || bytes != array.bytes)
    throw DamagedFile(fmt::format("array '{}' is not described well", shown(array.name)));
  Hasher hasher;
  hash_bytes(file, array.offset, array.offset + array.bytes, hasher);
  if (hasher.hex() != array.hash)
    throw DamagedFile(fmt::format("array '{}' does not agree with its checksum", shown(array.name)));
}

enum class Checked { manifest, all };

Seal check(const std::filesystem::path& path, Checked checked) {
  const RawFile file(path, O_RDONLY);
  const std::int64_t size = file.size();
  std::int64_t body = 0;
  const Json manifest = read_manifest(file, size, body);
  const auto format = manifest.at("format").get<std::int64_t>();
  if (format > sealed_format)
    throw UserError(fmt::format("'{}' was written by a newer mask-sc (format {}, this one reads up to {})",
                                path.string(), format, sealed_format));
  Seal seal{path, manifest.at("header"), {}, size};
  for (const Json& array : manifest.at("arrays")) seal.arrays.push_back(parse_array(array));
  if (checked == Checked::manifest) return seal;
  for (const SealedArray& array : seal.arrays) check_array(file, array, body);
  if (hash_rest(file, seal.arrays, body) != manifest.at("rest").get<std::string>())
    throw DamagedFile("bytes outside the arrays do not agree with their checksum");
  return seal;
}

Seal open(const std::filesystem::path& path, const std::string& kind, Checked checked) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw UserError(fmt::format("cannot read '{}': {}", path.string(), error ? error.message() : "not a file"));
  try {
    Seal seal = check(path, checked);
    const auto is = seal.header.at("kind").get<std::string>();
    if (!kind.empty() && is != kind)
      throw UserError(fmt::format("'{}' is a {}, not a {}", path.string(), shown(is), kind));
    return seal;
  } catch (const DamagedFile& e) {
    throw DamagedFile(fmt::format("'{}' is damaged: {}", path.string(), e.what()));
  } catch (const Json::exception& e) {
    throw DamagedFile(
        fmt::format("'{}' is damaged: its manifest is not what it should be ({})", path.string(), e.what()));
  }
}

}  // namespace

const SealedArray* Seal::find(const std::string& name) const {
  const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const SealedArray& a) { return a.name == name; });
  return found == arrays.end() ? nullptr : &*found;
}

Seal open_sealed(const std::filesystem::path& path, const std::string& kind) { return open(path, kind, Checked::all); }

Seal open_manifest(const std::filesystem::path& path, const std::string& kind) {
  return open(path, kind, Checked::manifest);
}

void read_array(const Seal& seal, const SealedArray& array, std::span<float> values, std::int64_t first) {
  const auto bytes = static_cast<std::int64_t>(values.size_bytes());
  const std::int64_t skipped = first * static_cast<std::int64_t>(sizeof(float));
  ensure(first >= 0 && skipped + bytes <= array.bytes, "reads stay within their array");
  const RawFile file(seal.path, O_RDONLY);
  if (file.read(array.offset + skipped, std::as_writable_bytes(values)) != bytes)
    throw DamagedFile(fmt::format("'{}' is damaged: array '{}' is cut off", seal.path.string(), array.name));
}

void read_array(const Seal& seal, const std::string& name, const std::vector<std::int64_t>& shape,
                std::span<float> values) {
  const SealedArray* const array = seal.find(name);
  if (array == nullptr)
    throw UserError(fmt::format("'{}' has no array '{}': it is from another kind of model", seal.path.string(), name));
  if (array->shape != shape)
    throw UserError(fmt::format("'{}': array '{}' has shape [{}], but these settings need [{}]", seal.path.string(),
                                name, fmt::join(array->shape, ", "), fmt::join(shape, ", ")));
  read_array(seal, *array, values);
}

}  // namespace masksc
