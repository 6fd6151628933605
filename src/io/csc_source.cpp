// Counts stored as compressed sparse columns: one pass over the file transposes a band of cells that fits in memory;
// cells beyond the band cost another pass.
#include <fmt/format.h>

#include <algorithm>

#include "counts_source.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::int64_t band_bytes = std::int64_t{1} << 30;
constexpr std::int64_t entry_bytes = sizeof(std::int32_t) + sizeof(float);
/// Entries read from the file at a time.
constexpr std::int64_t step = std::int64_t{1} << 20;

class CscSource final : public CountsSource {
 public:
  CscSource(const ArrayFile& file, const std::string& name, const CountsPlace& place)
      : place_(place),
        starts_(read_offsets(file, name, place.genes())),
        data_(file.stream_rows(name + "/data")),
        indices_(file.stream_rows(name + "/indices")),
        row_sizes_(static_cast<std::size_t>(place.cells())) {
    for_each_entry([&](std::int64_t row, std::int64_t, double count) {
      if (count != 0) ++row_sizes_[static_cast<std::size_t>(row)];
    });
  }

  CsrMatrix read_rows(RowRange rows) override {
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = place_.genes();
    out.row_start.reserve(static_cast<std::size_t>(rows.size()) + 1);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      if (row < band_.begin || row >= band_.end) load_band(row);
      append_row(row, out);
    }
    return out;
  }

 private:
  /// Transposes the rows from `first` on that fit in band_bytes.
  void load_band(std::int64_t first) {
    band_ = {first, first};
    band_start_ = {0};
    while (band_.end < place_.cells()) {
      const std::int64_t next = band_start_.back() + row_sizes_[static_cast<std::size_t>(band_.end)];
      if (band_.size() > 0 && next * entry_bytes > band_bytes) break;
      band_start_.push_back(next);
      ++band_.end;
    }
    band_columns_.resize(static_cast<std::size_t>(band_start_.back()));
    band_values_.resize(band_columns_.size());
    std::vector<std::int64_t> fill(band_start_.begin(), band_start_.end() - 1);
    Bad bad;
    for_each_entry([&](std::int64_t row, std::int64_t column, double count) {
      if (count == 0 || row < band_.begin || row >= band_.end) return;
      if (!is_count(count, place_.allow_noninteger)) bad.consider(row, column, count);
      const auto at = static_cast<std::size_t>(fill[static_cast<std::size_t>(row - band_.begin)]++);
      band_columns_[at] = static_cast<std::int32_t>(column);
      band_values_[at] = static_cast<float>(count);
    });
    if (bad.row >= 0) refuse_count(place_, bad.row, bad.column, bad.count);
  }
  void append_row(std::int64_t row, CsrMatrix& out) const {
    const auto at = static_cast<std::size_t>(row - band_.begin);
    const auto first = out.indices.size();
    for (auto i = static_cast<std::size_t>(band_start_[at]); i < static_cast<std::size_t>(band_start_[at + 1]); ++i) {
      // Columns come in ascending order; the same one twice is the sum, as scipy has it.
      if (out.indices.size() > first && out.indices.back() == band_columns_[i]) {
        out.values.back() += band_values_[i];
      } else {
        out.indices.push_back(band_columns_[i]);
        out.values.push_back(band_values_[i]);
      }
    }
    out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
  }

  /// Calls work(row, column, count) for every stored entry, column by column.
  template <typename Work>
  void for_each_entry(const Work& work) {
    std::size_t column = 0;
    for (std::int64_t begin = 0; begin < starts_.back(); begin += step) {
      const RowRange range{begin, std::min(starts_.back(), begin + step)};
      const auto counts = read_entries<double>(*data_, range);
      const auto rows = read_entries<std::int64_t>(*indices_, range);
      for (std::int64_t entry = range.begin; entry < range.end; ++entry) {
        while (starts_[column + 1] <= entry) ++column;
        const auto at = static_cast<std::size_t>(entry - range.begin);
        if (rows[at] < 0 || rows[at] >= place_.cells()) refuse_row(rows[at], column);
        work(rows[at], static_cast<std::int64_t>(column), counts[at]);
      }
    }
  }
  [[noreturn]] void refuse_row(std::int64_t row, std::size_t column) const {
    throw UserError(
        fmt::format("gene {} ('{}') in '{}' ({}/indices) has cell index {} of {} cells; the file is "
                    "damaged: write it again",
                    column, shown(place_.gene_names[column]), place_.file, place_.matrix, row, place_.cells()));
  }

  /// The bad count of the lowest (row, column).
  struct Bad {
    std::int64_t row = -1;
    std::int64_t column = 0;
    double count = 0;
    void consider(std::int64_t at_row, std::int64_t at_column, double value) {
      if (row >= 0 && row <= at_row) return;  // columns ascend
      row = at_row;
      column = at_column;
      count = value;
    }
  };

  const CountsPlace& place_;
  std::vector<std::int64_t> starts_;
  std::unique_ptr<RowStream> data_;
  std::unique_ptr<RowStream> indices_;
  std::vector<std::int64_t> row_sizes_;
  RowRange band_;
  std::vector<std::int64_t> band_start_;
  std::vector<std::int32_t> band_columns_;
  std::vector<float> band_values_;
};

}  // namespace

std::unique_ptr<CountsSource> make_csc_source(const ArrayFile& file, const std::string& name,
                                              const CountsPlace& place) {
  return std::make_unique<CscSource>(file, name, place);
}

}  // namespace masksc
