#include "tiled_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "masksc/core/error.hpp"
#include "masksc/core/exact_sum.hpp"

namespace masksc::detail {
namespace {

/// The largest |x - shift| of each column, over all ranks.
std::vector<float> largest_by_column(const DenseMatrix& x, std::span<const float> shift, Collectives& ranks) {
  std::vector<float> largest(shift.size());
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto row = x.row(r);
    for (std::size_t f = 0; f < row.size(); ++f) largest[f] = std::max(largest[f], std::abs(row[f] - shift[f]));
  }
  ranks.all_reduce(std::span(largest), ReduceOp::max);
  return largest;
}

/// The smallest e with value < 2^e.
int exponent(float value) {
  int e = 0;
  std::frexp(value, &e);
  return e;
}

std::vector<float> column_means(const DenseMatrix& x, std::int64_t cells, std::size_t columns, Collectives& ranks) {
  const std::vector<float> zero(columns);
  const auto largest = largest_by_column(x, zero, ranks);
  std::vector<double> scale(columns);
  for (std::size_t f = 0; f < columns; ++f) scale[f] = std::ldexp(1.0, 30 - exponent(largest[f]));
  std::vector<std::int64_t> sums(columns);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto row = x.row(r);
    for (std::size_t f = 0; f < row.size(); ++f) {
      sums[f] += static_cast<std::int64_t>(static_cast<double>(row[f]) * scale[f]);
    }
  }
  ranks.all_reduce(std::span(sums));
  std::vector<float> mean(columns);
  for (std::size_t f = 0; f < columns; ++f) {
    mean[f] = static_cast<float>(static_cast<double>(sums[f]) / scale[f] / static_cast<double>(cells));
  }
  return mean;
}

double mean_variance(const TiledRows& data, Collectives& ranks) {
  std::vector<double> squares(static_cast<std::size_t>(data.rows));
  for (std::size_t r = 0; r < squares.size(); ++r) {
    const float* row = data.row(static_cast<std::int64_t>(r));
    for (std::int64_t f = 0; f < data.columns; ++f) {
      const auto v = static_cast<double>(row[f * tile_rows]);
      squares[r] += v * v;
    }
  }
  const double total = exact_total(squares, data, ranks);
  return total / static_cast<double>(std::max<std::int64_t>(1, data.cells * data.columns));
}

}  // namespace

double weight_scale(double largest, std::int64_t cells) {
  if (!(largest > 0)) return 0;
  int e = 0;
  std::frexp(largest, &e);
  return std::ldexp(1.0, std::min(50, 62 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(cells)))) - e);
}

double exact_total(std::span<const double> values, const TiledRows& data, Collectives& ranks) {
  // The largest power of two that keeps the sum below the 2^50 that ExactSums holds.
  const auto most = static_cast<std::uint64_t>(16 * data.columns * data.cells);
  const double scale = std::ldexp(1.0, 49 - static_cast<int>(std::bit_width(most)));
  ExactSums sum(1);
  for (const double v : values) sum.add(0, v * scale);
  ranks.all_reduce(sum.words());
  return sum.value(0) / scale;
}

TiledRows pack_rows(const DealtRows& dealt, std::int64_t columns, Collectives& ranks) {
  const auto width = static_cast<std::size_t>(columns);
  TiledRows data;
  data.rows = dealt.rows.size();
  data.first = dealt.rows.begin;
  data.cells = dealt.cells;
  data.columns = columns;
  data.mean = column_means(dealt.local, dealt.cells, width, ranks);
  const auto largest = largest_by_column(dealt.local, data.mean, ranks);
  const float most = width == 0 ? 0.F : *std::max_element(largest.begin(), largest.end());
  ensure(std::isfinite(most), "K-means: the values of a column span more than float32 holds");
  data.scale = most > 0 ? std::ldexp(1.0, -exponent(most)) : 1;
  data.quantum_scale.resize(width);
  for (std::size_t f = 0; f < width; ++f) {
    const auto scaled = static_cast<float>(static_cast<double>(largest[f]) * data.scale);
    // Values far below the largest column's share its quantum: float32 holds no larger factor.
    data.quantum_scale[f] = static_cast<float>(std::ldexp(1.0, 30 - std::max(exponent(scaled), -90)));
  }
  data.values.resize(static_cast<std::size_t>(data.tiles() * columns * tile_rows));
  for (std::int64_t r = 0; r < data.rows; ++r) {
    const auto row = dealt.local.row(r);
    float* to = data.values.data() + (r / tile_rows) * columns * tile_rows + r % tile_rows;
    for (std::size_t f = 0; f < width; ++f) {
      to[f * tile_rows] = static_cast<float>(static_cast<double>(row[f] - data.mean[f]) * data.scale);
    }
  }
  data.mean_variance = mean_variance(data, ranks);
  return data;
}

}  // namespace masksc::detail
