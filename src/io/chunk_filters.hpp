// Undoing the filters of a stored chunk: gzip, LZF, shuffle, Fletcher's checksum. HDF5 1.10 takes the size of what
// comes out on trust and reads beyond it; here a chunk of another size than it must have is an error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace masksc {

enum class ChunkFilter { deflate, lzf, shuffle, fletcher32 };

/// Gzip shrinks at most 1032-fold, LZF 88-fold.
constexpr std::int64_t greatest_packing_ratio = 1032;

constexpr bool packs(ChunkFilter filter) { return filter == ChunkFilter::deflate || filter == ChunkFilter::lzf; }

struct UnpackedChunk {
  std::vector<std::uint8_t> bytes;
  const char* problem = nullptr;  // why there are none: "has a chunk ..."
};

/// The `size` bytes of a chunk that `filters` (in the order of writing, at most one of them packing) turned into
/// `stored`; bit i of `skipped` says that filter i was left out. `element` is the size of an element in bytes.
UnpackedChunk undo_filters(std::vector<std::uint8_t> stored, std::span<const ChunkFilter> filters,
                           std::uint32_t skipped, std::size_t element, std::size_t size);

/// Checksum of the fletcher32 filter.
std::uint32_t fletcher32(std::span<const std::uint8_t> bytes);

}  // namespace masksc
