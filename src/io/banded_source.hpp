// Counts stored in another order than by cell: a band of cells that fits in memory is gathered from the file at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "counts_source.hpp"

namespace masksc {

class BandedSource : public CountsSource {
 public:
  CsrMatrix read_rows(RowRange rows) final;

 protected:
  explicit BandedSource(const CountsPlace& place)
      : place_(place), row_sizes_(static_cast<std::size_t>(place.cells())) {}

  /// Says, once for every count of `row` that is not 0, that there is one.
  void expect(std::int64_t row) { ++row_sizes_[static_cast<std::size_t>(row)]; }
  /// Bytes of counts that a band may hold; a band of one cell may be larger.
  void set_band_bytes(std::int64_t bytes) { band_entries_ = bytes / static_cast<std::int64_t>(sizeof(Entry)); }
  /// Finds the counts of the cells in band() and puts them.
  virtual void fill_band() = 0;
  /// A count of the cell `row` of the band, in any order. Throws UserError for more than were expected: the file
  /// changes while it is read.
  void put(std::int64_t row, std::int64_t gene, double count);

  [[nodiscard]] const CountsPlace& place() const { return place_; }
  [[nodiscard]] RowRange band() const { return band_; }
  [[nodiscard]] bool in_band(std::int64_t row) const { return row >= band_.begin && row < band_.end; }

 private:
  struct Entry {
    std::int32_t gene;
    float count;
  };
  void load_band(std::int64_t first);
  /// In the order of the genes; of one gene the sum, as scipy has it. Throws UserError where that is no count.
  void append_row(std::int64_t row, CsrMatrix& out);

  const CountsPlace& place_;
  std::vector<std::int64_t> row_sizes_;
  std::int64_t band_entries_ = 0;
  RowRange band_;
  std::vector<std::int64_t> starts_;  // of each row of the band in entries_
  std::vector<std::int64_t> fill_;    // where its next entry goes
  std::vector<Entry> entries_;
};

}  // namespace masksc
