#include "chunk_filters.hpp"

#include <zlib.h>

#include <algorithm>

#include "lzf.hpp"

namespace masksc {
namespace {

constexpr std::size_t checksum_bytes = 4;

/// Exactly `size` bytes, and nothing behind them; false otherwise.
bool inflate_to(std::vector<std::uint8_t>& bytes, std::size_t size) {
  std::vector<std::uint8_t> out(size);
  z_stream stream{};
  if (bytes.size() > UINT32_MAX || size > UINT32_MAX || inflateInit(&stream) != Z_OK) return false;
  stream.next_in = bytes.data();
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::uint8_t beyond = 0;  // zlib wants room for a byte even where none may come
  stream.next_out = size > 0 ? out.data() : &beyond;
  stream.avail_out = static_cast<uInt>(std::max<std::size_t>(1, size));
  const int result = inflate(&stream, Z_FINISH);
  const bool whole = result == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  bytes = std::move(out);
  return whole;
}

/// Byte 0 of all elements, then byte 1 of all elements, ...; bytes beyond the last whole element stay.
void unshuffle(std::vector<std::uint8_t>& bytes, std::size_t element) {
  if (element <= 1 || bytes.size() < element) return;
  const std::size_t count = bytes.size() / element;
  std::vector<std::uint8_t> out = bytes;
  for (std::size_t byte = 0; byte < element; ++byte) {
    const std::uint8_t* from = bytes.data() + byte * count;
    for (std::size_t i = 0; i < count; ++i) out[i * element + byte] = from[i];
  }
  bytes = std::move(out);
}

bool remove_checksum(std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < checksum_bytes) return false;
  const std::uint8_t* at = bytes.data() + bytes.size() - checksum_bytes;
  const std::uint32_t stored = static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8U |
                               static_cast<std::uint32_t>(at[2]) << 16U | static_cast<std::uint32_t>(at[3]) << 24U;
  bytes.resize(bytes.size() - checksum_bytes);
  const std::uint32_t sum = fletcher32(bytes);
  // HDF5 before 1.6.3 wrote the bytes of each half the other way round.
  const std::uint32_t swapped = (sum & 0x00FF00FFU) << 8U | (sum & 0xFF00FF00U) >> 8U;
  return stored == sum || stored == swapped;
}

}  // namespace

std::uint32_t fletcher32(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t words_unfolded = 360;  // sums of so many words fit in 32 bits
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  const auto fold = [&] {
    first = (first & 0xFFFFU) + (first >> 16U);
    second = (second & 0xFFFFU) + (second >> 16U);
  };
  for (std::size_t at = 0; at + 1 < bytes.size();) {
    const std::size_t end = std::min(bytes.size() - 1, at + 2 * words_unfolded);
    for (; at < end; at += 2) {
      first += static_cast<std::uint32_t>(bytes[at]) << 8U | bytes[at + 1];
      second += first;
    }
    fold();
  }
  if (bytes.size() % 2 != 0) {
    first += static_cast<std::uint32_t>(bytes.back()) << 8U;
    second += first;
    fold();
  }
  fold();
  return second << 16U | first;
}

UnpackedChunk undo_filters(std::vector<std::uint8_t> stored, std::span<const ChunkFilter> filters,
                           std::uint32_t skipped, std::size_t element, std::size_t size) {
  const auto used = [&](std::size_t i) { return i >= 32 || (skipped >> i & 1U) == 0; };
  for (std::size_t i = filters.size(); i-- > 0;) {
    if (!used(i)) continue;
    if (filters[i] == ChunkFilter::shuffle) {
      unshuffle(stored, element);
    } else if (filters[i] == ChunkFilter::fletcher32) {
      if (!remove_checksum(stored)) return {{}, "has a chunk that does not agree with its checksum"};
    } else {
      std::size_t before = size;  // what was packed: the chunk with the checksums added so far
      for (std::size_t j = 0; j < i; ++j)
        if (filters[j] == ChunkFilter::fletcher32 && used(j)) before += checksum_bytes;
      if (filters[i] == ChunkFilter::lzf) {
        stored = unpack_lzf(stored, before);
        if (stored.size() != before) return {{}, "has an LZF chunk that can't be unpacked to its size"};
      } else if (!inflate_to(stored, before)) {
        return {{}, "has a gzip chunk that can't be inflated to its size"};
      }
    }
  }
  if (stored.size() != size) return {{}, "has a chunk of another size than it must have"};
  return {std::move(stored), nullptr};
}

}  // namespace masksc
