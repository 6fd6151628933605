// How a prepared file stores the entries of its matrix: 3 bytes each where CsrMatrix takes 8.
//
// A gene's index takes 16 bits where the file has no more than 65,536 genes, 32 otherwise. A count from 1 to 255 takes
// a byte; 0, which no entry is, stands for the next of the other counts (larger, or fractional), kept apart as float32.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace masksc::prepared {

/// Calls `work(T{})` with the type in which the indices of `genes` genes are stored.
template <typename Work>
void with_index_type(std::int64_t genes, Work&& work) {
  if (genes <= std::int64_t{1} << 16)
    work(std::uint16_t{});
  else
    work(std::int32_t{});
}

/// The bytes of positive `values`; those that fit in none are added to `large`.
std::vector<std::uint8_t> pack_counts(std::span<const float> values, std::vector<float>& large);

/// How many of `bytes` stand for a count that is kept apart.
std::int64_t count_large(std::span<const std::uint8_t> bytes);

/// Writes the counts of `bytes` to `values`. `large` are those that are kept apart, as many as count_large says.
void unpack_counts(std::span<const std::uint8_t> bytes, std::span<const float> large, std::span<float> values);

}  // namespace masksc::prepared
