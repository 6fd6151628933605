#include "global_heap.hpp"

#include <cstring>

namespace masksc {
namespace {

constexpr std::size_t object_header_bytes = 16;
constexpr std::uint64_t greatest_heap = std::uint64_t{1} << 31;

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

TextReference TextReference::parse(const std::uint8_t* bytes) {
  return {load<std::uint32_t>(bytes), load<std::uint64_t>(bytes + 4), load<std::uint32_t>(bytes + 12)};
}

std::optional<std::uint64_t> heap_size(std::span<const std::uint8_t> header) {
  if (header.size() < heap_header_bytes || std::memcmp(header.data(), "GCOL\1", 5) != 0) return std::nullopt;
  const auto size = load<std::uint64_t>(header.data() + 8);
  if (size < heap_header_bytes || size > greatest_heap) return std::nullopt;
  return size;
}

HeapObjects heap_objects(std::span<const std::uint8_t> heap) {
  HeapObjects objects;
  if (heap_size(heap) != heap.size()) return {};
  for (std::size_t at = heap_header_bytes; at + object_header_bytes <= heap.size();) {
    const auto index = load<std::uint16_t>(heap.data() + at);
    const auto bytes = load<std::uint64_t>(heap.data() + at + 8);
    if (index == 0) break;  // free space up to the end
    at += object_header_bytes;
    const std::size_t room = heap.size() - at;
    if (bytes > room || !objects.emplace(index, HeapObject{at, static_cast<std::size_t>(bytes)}).second) return {};
    at += std::min(room, static_cast<std::size_t>((bytes + 7) / 8 * 8));
  }
  return objects;
}

}  // namespace masksc
