#include "masksc/metrics/dealt_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <utility>

#include "masksc/core/random.hpp"

namespace masksc {

std::int64_t check_dealt_rows(const DealtRows& dealt, Collectives& ranks) {
  const std::array<std::int64_t, 4> mine = {dealt.rows.begin, dealt.rows.end, dealt.local.rows, dealt.local.columns};
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
  ensure(next == dealt.cells, "the ranks' rows add up to all cells");
  return columns < 0 ? dealt.local.columns : columns;
}

void check_finite(const DealtRows& dealt, std::string_view what, Collectives& ranks) {
  together(ranks, [&] {
    const DenseMatrix& local = dealt.local;
    const auto bad = std::find_if(local.values.begin(), local.values.end(), [](float v) { return !std::isfinite(v); });
    if (bad == local.values.end()) return;
    const auto at = bad - local.values.begin();
    throw InvariantError(fmt::format("{}: cell row {}, column {} is {}, not a finite number", what,
                                     dealt.rows.begin + at / local.columns, at % local.columns, *bad));
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

std::vector<std::int32_t> DealtSample::labels_of(std::span<const std::int32_t> labels, std::int64_t first) const {
  std::vector<std::int32_t> sampled;
  for (std::int64_t i = rows.begin; i < rows.end; ++i)
    sampled.push_back(labels[static_cast<std::size_t>(chosen[static_cast<std::size_t>(i)] - first)]);
  return sampled;
}

namespace {

/// Rows `chosen`, less `first`, of a matrix.
DenseMatrix copy_rows(const DenseMatrix& matrix, std::span<const std::int64_t> chosen, std::int64_t first) {
  DenseMatrix taken(std::ssize(chosen), matrix.columns);
  for (std::int64_t i = 0; i < taken.rows; ++i) {
    const auto from = matrix.row(chosen[static_cast<std::size_t>(i)] - first);
    std::copy(from.begin(), from.end(), taken.row(i).begin());
  }
  return taken;
}

}  // namespace

DealtSample take_rows(const DealtRows& dealt, std::vector<std::int64_t> chosen) {
  const auto position = [&](std::int64_t row) {
    return std::lower_bound(chosen.begin(), chosen.end(), row) - chosen.begin();
  };
  const RowRange rows = {position(dealt.rows.begin), position(dealt.rows.end)};
  const auto here = std::span<const std::int64_t>(chosen).subspan(static_cast<std::size_t>(rows.begin),
                                                                  static_cast<std::size_t>(rows.size()));
  DenseMatrix local = copy_rows(dealt.local, here, dealt.rows.begin);
  return {std::move(chosen), std::move(local), rows};
}

DenseMatrix take_rows(const DenseMatrix& all, std::span<const std::int64_t> chosen) {
  return copy_rows(all, chosen, 0);
}

}  // namespace masksc
