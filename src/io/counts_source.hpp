// One matrix of counts inside a file, dense, CSR or CSC, behind one interface; every count is checked on the way.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {

/// Where counts come from, for messages, and what is allowed.
struct CountsPlace {
  std::string file;
  std::string matrix;  // "X", "layers/counts", ...
  std::vector<std::string> cell_names;
  std::vector<std::string> gene_names;
  bool allow_noninteger = false;
  std::vector<std::int32_t> gene_of = {};  // of each stored column, -1 for one left out; empty: columns are genes
  [[nodiscard]] std::int64_t cells() const { return static_cast<std::int64_t>(cell_names.size()); }
  [[nodiscard]] std::int64_t genes() const { return static_cast<std::int64_t>(gene_names.size()); }
  [[nodiscard]] std::int64_t stored_columns() const {
    return gene_of.empty() ? genes() : static_cast<std::int64_t>(gene_of.size());
  }
  /// Of the stored column `column`; -1 where it is left out.
  [[nodiscard]] std::int64_t gene(std::int64_t column) const {
    return gene_of.empty() ? column : gene_of[static_cast<std::size_t>(column)];
  }
};

/// False for NaN, negative, infinite (also beyond float32) and, unless allowed, fractional values.
template <typename T>
bool is_count(T value, bool allow_noninteger) {
  if constexpr (std::is_integral_v<T>) {
    return value >= 0;
  } else {
    return value >= T{0} && value <= static_cast<T>(std::numeric_limits<float>::max()) &&
           (allow_noninteger || value == std::floor(value));
  }
}

/// Entries of `stream` as type T, whatever integer or floating type is stored.
template <typename T>
std::vector<T> read_entries(RowStream& stream, RowRange range) {
  return with_numeric_type(stream.info().type, [&]<typename Stored>(Stored) {
    auto stored = large_vector<Stored>(static_cast<std::size_t>(range.size()));
    stream.read(range, stored.data());
    if constexpr (std::is_same_v<Stored, T>)
      return stored;
    else
      return std::vector<T>(stored.begin(), stored.end());
  });
}

/// Throws the UserError for the count `value` at (row, column).
[[noreturn]] void refuse_count(const CountsPlace& place, std::int64_t row, std::int64_t column, double value);

/// The sum of several entries of one cell and gene, each a count as float32, as one. Throws UserError beyond float32.
float sum_as_count(const CountsPlace& place, std::int64_t row, std::int64_t column, double sum);

class CountsSource {
 public:
  CountsSource() = default;
  CountsSource(const CountsSource&) = delete;
  CountsSource& operator=(const CountsSource&) = delete;
  virtual ~CountsSource() = default;
  virtual CsrMatrix read_rows(RowRange rows) = 0;
};

/// Rows x columns of the matrix `name`, dense or sparse. Throws UserError when it is neither or its parts disagree.
struct MatrixShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
MatrixShape matrix_shape(const ArrayFile& file, const std::string& name);

/// The source for `name`; `file` and `place` must outlive it.
std::unique_ptr<CountsSource> make_source(const ArrayFile& file, const std::string& name, const CountsPlace& place);
std::unique_ptr<CountsSource> make_dense_source(const ArrayFile& file, const std::string& name,
                                                const CountsPlace& place);
std::unique_ptr<CountsSource> make_csr_source(const ArrayFile& file, const std::string& name, const CountsPlace& place);
std::unique_ptr<CountsSource> make_csc_source(const ArrayFile& file, const std::string& name, const CountsPlace& place);

/// `indptr` of the sparse matrix `name` with `lines` rows (CSR) or columns (CSC), checked against its entries.
std::vector<std::int64_t> read_offsets(const ArrayFile& file, const std::string& name, std::int64_t lines);

}  // namespace masksc
