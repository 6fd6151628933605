// The rows of this rank as K-means works on them: centred, scaled by a power of two, packed in tiles for the kernels;
// and the fixed point in which sums over rows are exact, whatever their order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/on_threads.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc::detail {

constexpr std::int64_t tile_rows = 24;  // three AVX registers of float32

struct TiledRows {
  std::int64_t rows = 0;   // of this rank
  std::int64_t first = 0;  // global number of the first
  std::int64_t cells = 0;  // over all ranks
  std::int64_t columns = 0;
  std::vector<float> values;  // [tiles, columns, tile_rows] of (x - mean) * scale, in [-2, 2]; 0 after the last row
  std::vector<float> mean;    // per column
  double scale = 1;           // a power of two
  std::vector<float> quantum_scale;  // per column, a power of two: value * quantum_scale fits 31 bits
  double mean_variance = 0;          // over the columns, of the scaled values
  int threads = 1;                   // that for_blocks_of_tiles uses

  [[nodiscard]] std::int64_t tiles() const { return (rows + tile_rows - 1) / tile_rows; }
  [[nodiscard]] const float* tile(std::int64_t t) const { return values.data() + t * columns * tile_rows; }
  /// Column f of row r is column_of(r)[f * tile_rows].
  [[nodiscard]] const float* row(std::int64_t r) const { return tile(r / tile_rows) + r % tile_rows; }
};

/// Packs the rows; statistics are over all ranks. Columns as check_dealt_rows gave them. A collective.
TiledRows pack_rows(const DealtRows& dealt, std::int64_t columns, Collectives& ranks);

/// Calls work(first tile, past the last, thread) for blocks of the tiles, each tile once, on data.threads threads.
template <typename Work>
void for_blocks_of_tiles(const TiledRows& data, const Work& work) {
  constexpr std::int64_t block = 256;
  on_threads(data.threads, (data.tiles() + block - 1) / block,
             [&](std::int64_t b, int thread) { work(b * block, std::min((b + 1) * block, data.tiles()), thread); });
}

/// A value of column f in fixed point: at most 31 bits, so that the 64-bit sum of any number of rows is exact.
inline std::int64_t to_fixed(float value, float quantum_scale) {
  return static_cast<std::int32_t>(value * quantum_scale);
}

/// `value` (not negative, below 2^51) rounded to an integer; vectorises, unlike llrint.
inline std::int64_t round_to_integer(double value) {
  constexpr double magic = 0x1.8p52;
  return std::bit_cast<std::int64_t>(value + magic) - std::bit_cast<std::int64_t>(magic);
}

/// The power of two by which `cells` values up to `largest` are multiplied so that round_to_integer holds and their
/// sum fits 62 bits; 0 when largest is 0.
double weight_scale(double largest, std::int64_t cells);

/// sum over all ranks' rows of values[row] (each at most 4 * columns, in double), the same bits for any dealing.
double exact_total(std::span<const double> values, const TiledRows& data, Collectives& ranks);

}  // namespace masksc::detail
