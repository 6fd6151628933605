// Counts stored as compressed sparse columns: one pass over the file transposes a band of cells that fits in memory;
// cells beyond the band cost another pass.
#include <fmt/format.h>

#include <algorithm>

#include "banded_source.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::int64_t band_bytes = std::int64_t{1} << 30;
/// Entries read from the file at a time.
constexpr std::int64_t step = std::int64_t{1} << 20;

class CscSource final : public BandedSource {
 public:
  CscSource(const ArrayFile& file, const std::string& name, const CountsPlace& counts)
      : BandedSource(counts),
        starts_(read_offsets(file, name, counts.genes())),
        data_(file.stream_rows(name + "/data")),
        indices_(file.stream_rows(name + "/indices")) {
    set_band_bytes(band_bytes);
    for_each_entry([&](std::int64_t row, std::int64_t, double count) {
      if (count != 0) expect(row);
    });
  }

 private:
  void fill_band() override {
    Bad bad;
    for_each_entry([&](std::int64_t row, std::int64_t column, double count) {
      if (count == 0 || !in_band(row)) return;
      if (!is_count(count, place().allow_noninteger)) bad.consider(row, column, count);
      put(row, column, count);
    });
    if (bad.row >= 0) refuse_count(place(), bad.row, bad.column, bad.count);
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
        if (rows[at] < 0 || rows[at] >= place().cells()) refuse_row(rows[at], column);
        work(rows[at], static_cast<std::int64_t>(column), counts[at]);
      }
    }
  }
  [[noreturn]] void refuse_row(std::int64_t row, std::size_t column) const {
    throw UserError(
        fmt::format("gene {} ('{}') in '{}' ({}/indices) has cell index {} of {} cells; the file is "
                    "damaged: write it again",
                    column, shown(place().gene_names[column]), place().file, place().matrix, row, place().cells()));
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

  std::vector<std::int64_t> starts_;
  std::unique_ptr<RowStream> data_;
  std::unique_ptr<RowStream> indices_;
};

}  // namespace

std::unique_ptr<CountsSource> make_csc_source(const ArrayFile& file, const std::string& name,
                                              const CountsPlace& place) {
  return std::make_unique<CscSource>(file, name, place);
}

}  // namespace masksc
