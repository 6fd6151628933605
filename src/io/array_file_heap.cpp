// Texts of variable length, read without HDF5: an array of them holds references into heaps in the file, and HDF5 1.10
// follows a damaged reference out of bounds.
#include <fmt/format.h>

#include <cstring>
#include <unordered_map>

#include "array_file_handles.hpp"
#include "global_heap.hpp"
#include "raw_file.hpp"

namespace masksc {
namespace {

/// Bytes of the file at an address; empty when they aren't all there.
std::vector<std::uint8_t> bytes_at(const RawFile& file, std::uint64_t address, std::uint64_t size) {
  const auto end = static_cast<std::uint64_t>(file.size());
  if (address > end || size > end - address) return {};
  std::vector<std::uint8_t> bytes(size);
  const auto got = file.read(static_cast<std::int64_t>(address), std::as_writable_bytes(std::span(bytes)));
  if (got != static_cast<std::int64_t>(size)) bytes.clear();
  return bytes;
}

/// Heaps of the file by address; those seen last are kept.
class Heaps {
 public:
  explicit Heaps(const RawFile& file) : file_(file) {}

  /// The text, cut off at its first zero byte as HDF5 does; nullopt when the reference points nowhere.
  std::optional<std::string> text(const TextReference& reference) {
    const Heap& heap = at(reference.heap);
    const auto object = heap.objects.find(reference.object);
    if (object == heap.objects.end() || object->second.bytes < reference.length) return std::nullopt;
    const char* begin = reinterpret_cast<const char*>(heap.bytes.data()) + object->second.begin;
    return std::string(begin, ::strnlen(begin, reference.length));
  }

 private:
  struct Heap {
    std::vector<std::uint8_t> bytes;
    HeapObjects objects;
  };
  static constexpr std::size_t most_kept = std::size_t{256} << 20;

  const Heap& at(std::uint64_t address) {
    const auto found = heaps_.find(address);
    if (found != heaps_.end()) return found->second;
    if (kept_ > most_kept) {
      heaps_.clear();
      kept_ = 0;
    }
    Heap heap;
    const auto size = heap_size(bytes_at(file_, address, heap_header_bytes));
    if (size) heap.bytes = bytes_at(file_, address, *size);
    heap.objects = heap_objects(heap.bytes);
    kept_ += heap.bytes.size();
    return heaps_.emplace(address, std::move(heap)).first->second;
  }

  const RawFile& file_;
  std::unordered_map<std::uint64_t, Heap> heaps_;
  std::size_t kept_ = 0;
};

/// The references as they are stored; nullopt where only HDF5 knows how to unpack them.
std::optional<std::vector<std::uint8_t>> stored_references(const ArrayFile::Impl& file, const Handle& dataset,
                                                           const ArrayInfo& info, const std::string& name,
                                                           const RawFile& raw) {
  const std::size_t size = static_cast<std::size_t>(info.size()) * TextReference::stored_bytes;
  if (info.chunk.empty()) {
    const haddr_t address = H5Dget_offset(dataset.id());
    if (address == HADDR_UNDEF) return std::nullopt;
    return bytes_at(raw, address, size);
  }
  std::optional<ChunkReader> chunks = ChunkReader::open(file, name, info);
  if (!chunks) return std::nullopt;
  std::vector<std::uint8_t> all(size);
  chunks->read({0, info.rows()}, std::nullopt, all.data());
  return all;
}

}  // namespace

std::optional<std::vector<std::string>> read_heap_texts(const ArrayFile::Impl& file, const Handle& dataset,
                                                        const ArrayInfo& info, const std::string& name) {
  const Handle creation(H5Fget_create_plist(file.file.id()), H5Pclose);
  std::size_t address_bytes = 0;
  std::size_t size_bytes = 0;
  hsize_t user_block = 0;
  H5Pget_sizes(creation.id(), &address_bytes, &size_bytes);
  H5Pget_userblock(creation.id(), &user_block);
  if (address_bytes != 8 || size_bytes != 8 || user_block != 0) return std::nullopt;
  const RawFile raw(file.path, O_RDONLY);
  const auto references = stored_references(file, dataset, info, name, raw);
  if (!references) return std::nullopt;
  const auto count = static_cast<std::size_t>(info.size());
  if (references->size() != count * TextReference::stored_bytes)
    file.damaged(name, "has texts that are not all stored");
  Heaps heaps(raw);
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const TextReference reference = TextReference::parse(references->data() + i * TextReference::stored_bytes);
    if (reference.empty()) {
      texts.emplace_back();
      continue;
    }
    std::optional<std::string> text = heaps.text(reference);
    if (!text) file.damaged(name, fmt::format("has text {} of {} pointing nowhere", i, count));
    texts.push_back(std::move(*text));
  }
  return texts;
}

}  // namespace masksc
