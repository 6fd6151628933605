// Counts stored as compressed sparse rows: blocks are read as they lie; unsorted rows are sorted, duplicates summed.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "counts_source.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

class CsrSource final : public CountsSource {
 public:
  CsrSource(const ArrayFile& file, const std::string& name, const CountsPlace& place)
      : place_(place),
        starts_(read_offsets(file, name, place.cells())),
        data_(file.stream_rows(name + "/data")),
        indices_(file.stream_rows(name + "/indices")) {}

  CsrMatrix read_rows(RowRange rows) override {
    const RowRange entries{starts_[static_cast<std::size_t>(rows.begin)], starts_[static_cast<std::size_t>(rows.end)]};
    auto columns = read_entries<std::int64_t>(*indices_, entries);
    auto counts = read_entries<double>(*data_, entries);
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = place_.genes();
    out.row_start.reserve(static_cast<std::size_t>(rows.size()) + 1);
    out.indices.reserve(columns.size());
    out.values.reserve(columns.size());
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const auto begin = static_cast<std::size_t>(starts_[static_cast<std::size_t>(row)] - entries.begin);
      const auto end = static_cast<std::size_t>(starts_[static_cast<std::size_t>(row) + 1] - entries.begin);
      append_row(row, {columns.data() + begin, end - begin}, {counts.data() + begin, end - begin}, out);
    }
    return out;
  }

 private:
  /// Columns that are left out are overwritten by those behind them.
  void append_row(std::int64_t row, std::span<std::int64_t> columns, std::span<double> counts, CsrMatrix& out) {
    bool ascending = true;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] < 0 || columns[i] >= place_.stored_columns())
        throw UserError(
            fmt::format("cell {} ('{}') in '{}' ({}/indices) has gene index {} of {} genes; the file is "
                        "damaged: write it again",
                        row, shown(place_.cell_names[static_cast<std::size_t>(row)]), place_.file, place_.matrix,
                        columns[i], place_.stored_columns()));
      const std::int64_t gene = place_.gene(columns[i]);
      if (gene < 0) continue;
      if (!is_count(counts[i], place_.allow_noninteger)) refuse_count(place_, row, gene, counts[i]);
      ascending = ascending && (kept == 0 || columns[kept - 1] < gene);
      columns[kept] = gene;
      counts[kept++] = counts[i];
    }
    columns = columns.first(kept);
    counts = counts.first(kept);
    if (ascending) {
      for (std::size_t i = 0; i < columns.size(); ++i) add(columns[i], counts[i], out);
    } else {
      append_unsorted(columns, counts, out);
    }
    out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  void append_unsorted(std::span<const std::int64_t> columns, std::span<const double> counts, CsrMatrix& out) {
    order_.resize(columns.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return columns[a] < columns[b]; });
    for (std::size_t i = 0; i < order_.size();) {
      const std::int64_t column = columns[order_[i]];
      double sum = 0;
      for (; i < order_.size() && columns[order_[i]] == column; ++i) sum += counts[order_[i]];
      add(column, sum, out);
    }
  }
  static void add(std::int64_t column, double count, CsrMatrix& out) {
    if (count == 0) return;
    out.indices.push_back(static_cast<std::int32_t>(column));
    out.values.push_back(static_cast<float>(count));
  }

  const CountsPlace& place_;
  std::vector<std::int64_t> starts_;
  std::unique_ptr<RowStream> data_;
  std::unique_ptr<RowStream> indices_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::unique_ptr<CountsSource> make_csr_source(const ArrayFile& file, const std::string& name,
                                              const CountsPlace& place) {
  return std::make_unique<CsrSource>(file, name, place);
}

}  // namespace masksc
