// A check that HDF5 lacks: texts of variable length are references (length, heap address, index) into heaps in the
// file, and HDF5 1.10 follows a damaged reference out of bounds. Format: HDF5 File Format Specification 2.0, III.E
// "Disk Format: Level 1E - Global Heap".
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "array_file_handles.hpp"

namespace masksc {
namespace {

constexpr std::size_t reference_bytes = 16;  // uint32 length, uint64 address, uint32 index
constexpr std::size_t header_bytes = 16;     // of a heap and of an object in it
constexpr std::uint64_t greatest_heap = std::uint64_t{1} << 31;

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// Bytes of the file at an address; empty when they aren't all there.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] std::vector<std::uint8_t> read(std::uint64_t address, std::uint64_t size) const {
    if (address > INT64_MAX || ::lseek(descriptor_, 0, SEEK_END) < static_cast<off_t>(address)) return {};
    const auto rest = static_cast<std::uint64_t>(::lseek(descriptor_, 0, SEEK_END)) - address;
    if (size > rest) return {};
    std::vector<std::uint8_t> bytes(size);
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = ::pread(descriptor_, bytes.data() + done, size - done, static_cast<off_t>(address + done));
      if (got <= 0) return {};
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  int descriptor_;
};

/// Sizes of the objects of the heap at `address`, by index; empty when it is no sound heap.
std::map<std::uint32_t, std::uint64_t> read_heap(const RawFile& file, std::uint64_t address) {
  const std::vector<std::uint8_t> header = file.read(address, header_bytes);
  if (header.empty() || std::memcmp(header.data(), "GCOL\1", 5) != 0) return {};
  const auto size = load<std::uint64_t>(header.data() + 8);
  if (size < header_bytes || size > greatest_heap) return {};
  const std::vector<std::uint8_t> heap = file.read(address, size);
  std::map<std::uint32_t, std::uint64_t> objects;
  for (std::size_t at = header_bytes; at + header_bytes <= heap.size();) {
    const auto index = load<std::uint16_t>(heap.data() + at);
    const auto bytes = load<std::uint64_t>(heap.data() + at + 8);
    if (index == 0) break;  // free space up to the end
    const std::uint64_t room = heap.size() - at - header_bytes;
    if (bytes > room || !objects.emplace(index, bytes).second) return {};
    at += header_bytes + static_cast<std::size_t>((bytes + 7) / 8 * 8);
  }
  return objects;
}

/// The references as they are stored; nullopt where only HDF5 knows how to unpack them.
std::optional<std::vector<std::uint8_t>> stored_references(const ArrayFile::Impl& file, const Handle& dataset,
                                                           const ArrayInfo& info, const RawFile& raw) {
  const std::size_t size = static_cast<std::size_t>(info.size()) * reference_bytes;
  if (info.chunk.empty()) {
    const haddr_t address = H5Dget_offset(dataset.id());
    if (address == HADDR_UNDEF) return std::nullopt;
    return raw.read(address, size);
  }
  const Handle list(H5Dget_create_plist(dataset.id()), H5Pclose);
  unsigned flags = 0;
  unsigned config = 0;
  std::size_t values = 0;
  const int filters = H5Pget_nfilters(list.id());
  if (info.chunk.size() != 1 || filters > 1) return std::nullopt;
  if (filters == 1 && H5Pget_filter2(list.id(), 0, &flags, &values, nullptr, 0, nullptr, &config) != H5Z_FILTER_DEFLATE)
    return std::nullopt;
  const std::size_t chunk_bytes = static_cast<std::size_t>(info.chunk[0]) * reference_bytes;
  std::vector<std::uint8_t> all;
  for (hsize_t row = 0; row < static_cast<hsize_t>(info.rows()); row += static_cast<hsize_t>(info.chunk[0])) {
    hsize_t stored = 0;
    std::uint32_t filters_off = 0;
    file.check(H5Dget_chunk_storage_size(dataset.id(), &row, &stored), "read texts");
    if (stored == 0 || stored > (hsize_t{1} << 31)) return std::nullopt;
    std::vector<std::uint8_t> packed(stored);
    file.check(H5Dread_chunk(dataset.id(), H5P_DEFAULT, &row, &filters_off, packed.data()), "read texts");
    if (filters == 1 && filters_off == 0) {
      std::vector<std::uint8_t> chunk(chunk_bytes);
      auto length = static_cast<uLongf>(chunk.size());
      if (::uncompress(chunk.data(), &length, packed.data(), static_cast<uLong>(packed.size())) != Z_OK ||
          length != chunk.size())
        return std::vector<std::uint8_t>{};
      packed = std::move(chunk);
    }
    all.insert(all.end(), packed.begin(), packed.end());
  }
  all.resize(std::min(all.size(), size));
  return all;
}

}  // namespace

void check_text_references(const ArrayFile::Impl& file, const Handle& dataset, const ArrayInfo& info,
                           const std::string& name) {
  const Handle creation(H5Fget_create_plist(file.file.id()), H5Pclose);
  std::size_t address_bytes = 0;
  std::size_t size_bytes = 0;
  hsize_t user_block = 0;
  H5Pget_sizes(creation.id(), &address_bytes, &size_bytes);
  H5Pget_userblock(creation.id(), &user_block);
  if (address_bytes != 8 || size_bytes != 8 || user_block != 0) return;
  const RawFile raw(file.path);
  const auto references = stored_references(file, dataset, info, raw);
  if (!references) return;
  if (references->size() != static_cast<std::size_t>(info.size()) * reference_bytes)
    file.damaged(name, "has texts that are not all stored");
  std::map<std::uint64_t, std::map<std::uint32_t, std::uint64_t>> heaps;
  for (std::size_t at = 0; at < references->size(); at += reference_bytes) {
    const auto length = load<std::uint32_t>(references->data() + at);
    const auto address = load<std::uint64_t>(references->data() + at + 4);
    const auto index = load<std::uint32_t>(references->data() + at + 12);
    if (address == 0 || length == 0) continue;  // an empty text
    const auto heap = heaps.find(address) != heaps.end() ? heaps.find(address)
                                                         : heaps.emplace(address, read_heap(raw, address)).first;
    const auto object = heap->second.find(index);
    if (object == heap->second.end() || object->second < length)
      file.damaged(name, fmt::format("has text {} of {} pointing nowhere", at / reference_bytes, info.size()));
  }
}

}  // namespace masksc
