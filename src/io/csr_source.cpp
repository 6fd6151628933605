// Counts stored as compressed sparse rows: blocks are taken as they lie; unsorted rows are sorted, duplicates summed.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "counts_source.hpp"
#include "entry_checks.hpp"
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
    if (!as_anndata_writes()) {
      auto columns = read_entries<std::int64_t>(*indices_, entries);
      auto counts = read_entries<double>(*data_, entries);
      return mended(rows, columns, counts);
    }
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = place_.genes();
    out.row_start.assign(starts_.begin() + rows.begin, starts_.begin() + rows.end + 1);
    for (std::int64_t& start : out.row_start) start -= entries.begin;
    out.indices = read_entries<std::int32_t>(*indices_, entries);
    out.values = read_entries<float>(*data_, entries);
    bool good = are_positive_counts(out.values, place_.allow_noninteger);
    for (std::int64_t row = 0; row < out.rows && good; ++row) good = ascend_within(out.row_indices(row), out.columns);
    if (good) return out;
    std::vector<std::int64_t> columns(out.indices.begin(), out.indices.end());
    std::vector<double> counts(out.values.begin(), out.values.end());
    return mended(rows, columns, counts);
  }

 private:
  /// Whether the stored entries may be those of the matrix, as they are.
  [[nodiscard]] bool as_anndata_writes() const {
    return indices_->info().type == NumericType::i32 && data_->info().type == NumericType::f32 &&
           place_.gene_of.empty();
  }
  CsrMatrix mended(RowRange rows, std::span<std::int64_t> columns, std::span<double> counts) {
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = place_.genes();
    out.row_start.reserve(static_cast<std::size_t>(rows.size()) + 1);
    out.indices.reserve(columns.size());
    out.values.reserve(columns.size());
    const std::int64_t first = starts_[static_cast<std::size_t>(rows.begin)];
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const auto begin = static_cast<std::size_t>(starts_[static_cast<std::size_t>(row)] - first);
      const auto size = static_cast<std::size_t>(starts_[static_cast<std::size_t>(row) + 1] - first) - begin;
      append_row(row, columns.subspan(begin, size), counts.subspan(begin, size), out);
    }
    return out;
  }
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
      for (std::size_t i = 0; i < columns.size(); ++i) add(columns[i], static_cast<float>(counts[i]), out);
    } else {
      append_unsorted(row, columns, counts, out);
    }
    out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  void append_unsorted(std::int64_t row, std::span<const std::int64_t> columns, std::span<const double> counts,
                       CsrMatrix& out) {
    order_.resize(columns.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return columns[a] < columns[b]; });
    for (std::size_t i = 0; i < order_.size();) {
      const std::int64_t column = columns[order_[i]];
      double sum = 0;
      for (; i < order_.size() && columns[order_[i]] == column; ++i)
        sum += static_cast<double>(static_cast<float>(counts[order_[i]]));  // as other orders of storage have it
      add(column, sum_as_count(place_, row, column, sum), out);
    }
  }
  static void add(std::int64_t column, float count, CsrMatrix& out) {
    if (count == 0) return;
    out.indices.push_back(static_cast<std::int32_t>(column));
    out.values.push_back(count);
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
