// Filters of stored chunks. Two bytes choose filters and element, two the size that must come out.
#include <algorithm>

#include "../../../src/io/chunk_filters.hpp"
#include "common.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using masksc::ChunkFilter;
  if (size < 5) return 0;
  std::vector<ChunkFilter> filters = {ChunkFilter::shuffle, ChunkFilter::deflate, ChunkFilter::fletcher32};
  if ((data[1] & 128U) != 0) filters[1] = ChunkFilter::lzf;
  if ((data[0] & 1U) != 0) std::swap(filters[0], filters[1]);
  if ((data[0] & 2U) != 0) std::swap(filters[1], filters[2]);
  filters.resize(filters.size() - (data[0] >> 2U) % 4U);
  const std::uint32_t skipped = data[0] >> 4U;
  const std::size_t element = data[1];
  const std::size_t expected = data[2] | static_cast<std::size_t>(data[3]) << 8U;
  const masksc::UnpackedChunk chunk =
      masksc::undo_filters(std::vector<std::uint8_t>(data + 4, data + size), filters, skipped, element, expected);
  masksc::fuzz::require(chunk.problem != nullptr || chunk.bytes.size() == expected);
  return 0;
}
