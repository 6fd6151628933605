#include "masksc/metrics/dealt_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "masksc/core/random.hpp"

namespace masksc {

std::int64_t check_dealt_rows(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, Collectives& ranks) {
  const std::array<std::int64_t, 4> mine = {rows.begin, rows.end, local_rows.rows, local_rows.columns};
  std::vector<std::int64_t> all(4 * static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(std::span<const std::int64_t>(mine), std::span(all));
  std::int64_t next = 0;
  std::int64_t columns = -1;
  for (std::size_t at = 0; at < all.size(); at += 4) {
    ensure(all[at] == next && all[at + 1] >= next, "the ranks' rows follow each other in rank order");
    ensure(all[at + 2] == all[at + 1] - all[at], "each rank brings the rows that it names");
    next = all[at + 1];
    if (all[at + 2] == 0) continue;
    ensure(columns < 0 || columns == all[at + 3], "all ranks have the same number of columns");
    columns = all[at + 3];
  }
  ensure(next == cells, "the ranks' rows add up to all cells");
  return columns < 0 ? local_rows.columns : columns;
}

void check_finite(const DenseMatrix& local_rows, RowRange rows, std::string_view what, Collectives& ranks) {
  together(ranks, [&] {
    const auto bad =
        std::find_if(local_rows.values.begin(), local_rows.values.end(), [](float v) { return !std::isfinite(v); });
    if (bad == local_rows.values.end()) return;
    const auto at = bad - local_rows.values.begin();
    throw InvariantError(fmt::format("{}: cell row {}, column {} is {}, not a finite number", what,
                                     rows.begin + at / local_rows.columns, at % local_rows.columns, *bad));
  });
}

std::vector<std::int64_t> sample_rows(std::int64_t cells, std::int64_t size, std::uint64_t seed) {
  std::vector<std::int64_t> chosen;
  if (size >= cells) {
    chosen.resize(static_cast<std::size_t>(cells));
    std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
    return chosen;
  }
  // Selection sampling (Knuth 3.4.2 S): row r is taken with probability (still wanted) / (rows left).
  RandomStream random(seed, Purpose::sampling, 0, 0);
  chosen.reserve(static_cast<std::size_t>(size));
  for (std::int64_t row = 0; std::cmp_less(chosen.size(), size); ++row) {
    const auto left = static_cast<std::uint64_t>(cells - row);
    const auto wanted = static_cast<std::uint64_t>(size) - chosen.size();
    if (random.below(left) < wanted) chosen.push_back(row);
  }
  return chosen;
}

DealtSample take_rows(const DenseMatrix& local_rows, RowRange rows, std::span<const std::int64_t> chosen) {
  const auto position = [&](std::int64_t row) {
    return std::lower_bound(chosen.begin(), chosen.end(), row) - chosen.begin();
  };
  DealtSample sample;
  sample.rows = {position(rows.begin), position(rows.end)};
  sample.local_rows = DenseMatrix(sample.rows.size(), local_rows.columns);
  for (std::int64_t i = 0; i < sample.rows.size(); ++i) {
    const auto from = local_rows.row(chosen[static_cast<std::size_t>(sample.rows.begin + i)] - rows.begin);
    std::copy(from.begin(), from.end(), sample.local_rows.row(i).begin());
  }
  return sample;
}

}  // namespace masksc
