#include "banded_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace masksc {

CsrMatrix BandedSource::read_rows(RowRange rows) {
  CsrMatrix out;
  out.rows = rows.size();
  out.columns = place_.genes();
  out.row_start.reserve(static_cast<std::size_t>(rows.size()) + 1);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    if (!in_band(row)) load_band(row);
    append_row(row, out);
  }
  return out;
}

void BandedSource::load_band(std::int64_t first) {
  band_ = {first, first};
  starts_ = {0};
  while (band_.end < place_.cells()) {
    const std::int64_t next = starts_.back() + row_sizes_[static_cast<std::size_t>(band_.end)];
    if (band_.size() > 0 && next > band_entries_) break;
    starts_.push_back(next);
    ++band_.end;
  }
  entries_.resize(static_cast<std::size_t>(starts_.back()));
  fill_.assign(starts_.begin(), starts_.end() - 1);
  fill_band();
}

void BandedSource::put(std::int64_t row, std::int64_t gene, double count) {
  const auto at = static_cast<std::size_t>(fill_[static_cast<std::size_t>(row - band_.begin)]++);
  if (at >= entries_.size())
    throw UserError(fmt::format("'{}' changes while it is read: start again when it is whole", place_.file));
  entries_[at] = {static_cast<std::int32_t>(gene), static_cast<float>(count)};
}

void BandedSource::append_row(std::int64_t row, CsrMatrix& out) {
  const auto at = static_cast<std::size_t>(row - band_.begin);
  const std::span<Entry> entries(entries_.data() + starts_[at],
                                 static_cast<std::size_t>(starts_[at + 1] - starts_[at]));
  const auto before = [](const Entry& a, const Entry& b) { return a.gene < b.gene; };
  if (!std::is_sorted(entries.begin(), entries.end(), before)) std::stable_sort(entries.begin(), entries.end(), before);
  for (std::size_t i = 0; i < entries.size();) {
    const std::int32_t gene = entries[i].gene;
    double sum = 0;
    for (; i < entries.size() && entries[i].gene == gene; ++i) sum += static_cast<double>(entries[i].count);
    const float count = sum_as_count(place_, row, gene, sum);
    if (count == 0) continue;  // below float32
    out.indices.push_back(gene);
    out.values.push_back(count);
  }
  out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
}

}  // namespace masksc
