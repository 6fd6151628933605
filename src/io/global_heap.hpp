// Reading the heaps in which HDF5 keeps texts of variable length, out of their bytes. HDF5 1.10 itself follows a
// damaged reference out of bounds, and a damaged heap in circles. Format: HDF5 File Format Specification 2.0, III.E
// "Disk Format: Level 1E - Global Heap".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

namespace masksc {

/// Where a text lies; how an array of texts stores it.
struct TextReference {
  std::uint32_t length = 0;
  std::uint64_t heap = 0;  // address in the file; 0: an empty text
  std::uint32_t object = 0;

  static constexpr std::size_t stored_bytes = 16;
  /// From `bytes`, of which there are stored_bytes.
  static TextReference parse(const std::uint8_t* bytes);
  [[nodiscard]] bool empty() const { return heap == 0 || length == 0; }
};

/// An object in the bytes of its heap.
struct HeapObject {
  std::size_t begin = 0;
  std::size_t bytes = 0;
};
using HeapObjects = std::unordered_map<std::uint32_t, HeapObject>;

constexpr std::size_t heap_header_bytes = 16;

/// The size of the heap that begins with these bytes, itself included; nullopt when no heap begins so.
std::optional<std::uint64_t> heap_size(std::span<const std::uint8_t> header);

/// The objects of a heap, given whole; none when it is not sound.
HeapObjects heap_objects(std::span<const std::uint8_t> heap);

}  // namespace masksc
