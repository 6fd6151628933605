#include "masksc/preprocess/normalize.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <tuple>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/memory.hpp"

namespace masksc {
namespace {

constexpr int kDigitBits = 8;  // eight small all-reduces
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

/// Element `k` of the sorted positive values of all ranks, by radix selection: bits of positive doubles sort as they
/// do.
double kth_smallest(std::span<const double> values, std::int64_t k, Collectives& ranks) {
  std::uint64_t found = 0;
  std::uint64_t known = 0;  // mask of the leading bits that are settled
  std::vector<std::int64_t> histogram(kDigits);
  for (int shift = 64 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    std::fill(histogram.begin(), histogram.end(), 0);
    for (const double value : values) {
      const auto bits = std::bit_cast<std::uint64_t>(value);
      if (value > 0 && (bits & known) == found) ++histogram[(bits >> shift) & (kDigits - 1)];
    }
    ranks.all_reduce(std::span(histogram));
    std::uint64_t digit = 0;
    for (; digit + 1 < kDigits && k >= histogram[digit]; ++digit) k -= histogram[digit];
    found |= digit << shift;
    known |= std::uint64_t{kDigits - 1} << shift;
  }
  return std::bit_cast<double>(found);
}

}  // namespace

void mark_genes_with_counts(const CsrMatrix& counts, std::span<std::uint8_t> expressed) {
  for (std::size_t i = 0; i < counts.indices.size(); ++i)
    if (counts.values[i] > 0) expressed[static_cast<std::size_t>(counts.indices[i])] = 1;
}

std::vector<double> cell_totals(const CsrMatrix& counts) {
  std::vector<double> totals(static_cast<std::size_t>(counts.rows));
  for (std::int64_t cell = 0; cell < counts.rows; ++cell) {
    double total = 0;
    for (const float count : counts.row_values(cell)) total += count;
    totals[static_cast<std::size_t>(cell)] = total;
  }
  return totals;
}

double median_total(std::span<const double> totals, Collectives& ranks) {
  const auto mine = std::count_if(totals.begin(), totals.end(), [](double total) { return total > 0; });
  const auto cells = ranks.all_reduce(static_cast<std::int64_t>(mine));
  if (cells == 0) return 0;
  const double upper = kth_smallest(totals, cells / 2, ranks);
  if (cells % 2 == 1) return upper;
  return (kth_smallest(totals, cells / 2 - 1, ranks) + upper) / 2;
}

void log_normalize(CsrMatrix& counts, std::span<const double> totals, double median) {
  ensure(static_cast<std::int64_t>(totals.size()) == counts.rows, "one total a cell");
  std::array<float, 32> of_count{};  // log-normalised value of the whole counts below its size, in the current cell
  std::size_t i = 0;
  for (std::size_t cell = 0; cell < totals.size(); ++cell) {
    const auto end = static_cast<std::size_t>(counts.row_start[cell + 1]);
    if (totals[cell] <= 0) {
      i = end;
      continue;
    }
    const auto factor = static_cast<float>(totals[cell] / median);
    of_count.fill(-1);
    for (; i < end; ++i) {
      const float count = counts.values[i];
      const auto whole = count < static_cast<float>(of_count.size()) ? static_cast<std::size_t>(count) : 0;
      if (static_cast<float>(whole) != count) {
        counts.values[i] = std::log1p(count / factor);
        continue;
      }
      if (of_count[whole] < 0) of_count[whole] = std::log1p(count / factor);
      counts.values[i] = of_count[whole];
    }
  }
}

namespace {

/// Keeps the columns that have a new index, in their order, and calls `finish` at the end of each row with the range
/// of its entries.
template <typename Finish>
void keep_columns(CsrMatrix& values, std::span<const std::int32_t> new_column, Finish finish) {
  std::size_t read = 0;
  std::size_t written = 0;
  for (std::size_t cell = 0; cell < static_cast<std::size_t>(values.rows); ++cell) {
    const std::size_t first = written;
    for (const auto end = static_cast<std::size_t>(values.row_start[cell + 1]); read < end; ++read) {
      const std::int32_t column = new_column[static_cast<std::size_t>(values.indices[read])];
      values.indices[written] = column;
      values.values[written] = values.values[read];
      written += column >= 0 ? 1 : 0;
    }
    finish(first, written);
    values.row_start[cell + 1] = static_cast<std::int64_t>(written);
  }
  values.indices.resize(written);
  values.values.resize(written);
}

}  // namespace

CsrMatrix select_columns(CsrMatrix values, std::span<const std::int64_t> genes) {
  std::vector<std::int32_t> new_column(static_cast<std::size_t>(values.columns), -1);
  for (std::size_t i = 0; i < genes.size(); ++i)
    new_column[static_cast<std::size_t>(genes[i])] = static_cast<std::int32_t>(i);

  if (std::is_sorted(genes.begin(), genes.end())) {
    keep_columns(values, new_column, [](std::size_t, std::size_t) {});
  } else {
    std::vector<std::pair<std::int32_t, float>> row;
    keep_columns(values, new_column, [&](std::size_t first, std::size_t last) {
      row.clear();
      for (std::size_t i = first; i < last; ++i) row.emplace_back(values.indices[i], values.values[i]);
      std::sort(row.begin(), row.end());
      for (std::size_t i = first; i < last; ++i) std::tie(values.indices[i], values.values[i]) = row[i - first];
    });
  }
  values.columns = static_cast<std::int64_t>(genes.size());
  release_unused(values.indices);
  release_unused(values.values);
  return values;
}

}  // namespace masksc
