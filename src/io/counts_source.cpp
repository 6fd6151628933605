// Which kind of matrix a name stands for, and the checks that all kinds share.
#include "counts_source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/text.hpp"

namespace masksc {
namespace {

[[noreturn]] void no_matrix(const ArrayFile& file, const std::string& name, const std::string& what) {
  throw UserError(fmt::format(
      "'{}' in '{}' {}; expected a matrix of cells x genes: a two-dimensional array of numbers, or a sparse group with "
      "data, indices and indptr",
      shown(name), file.path().string(), what));
}

/// "csr_matrix" or "csc_matrix"; files of anndata < 0.7 say "csr" or "csc" under another key.
std::string sparse_format(const ArrayFile& file, const std::string& name) {
  const std::string encoding = file.text_attribute(name, "encoding-type").value_or("");
  if (encoding == "csr_matrix" || encoding == "csc_matrix") return encoding;
  const std::string legacy = file.text_attribute(name, "h5sparse_format").value_or("");
  if (legacy == "csr" || legacy == "csc") return legacy + "_matrix";
  no_matrix(file, name, fmt::format("is a group of encoding-type '{}'", shown(encoding.empty() ? legacy : encoding)));
}

}  // namespace

void refuse_count(const CountsPlace& place, std::int64_t row, std::int64_t column, double value) {
  const auto name = [](const std::vector<std::string>& names, std::int64_t i) {
    return i < static_cast<std::int64_t>(names.size()) ? shown(names[static_cast<std::size_t>(i)]) : std::string();
  };
  const char* what = "is not a whole number";
  const bool of_raw = place.matrix == "raw/X";  // then there is no use in pointing there
  const char* remedy =
      of_raw ? "raw holds normalised values here: give a layer of counts (--layer NAME), or --allow-noninteger"
             : "give raw counts (h5ad: --layer NAME or --layer raw), or --allow-noninteger for normalised data";
  if (std::isnan(value)) {
    what = "is not a number (NaN)";
    remedy = "give raw counts";
  } else if (value < 0) {
    what = "is negative";
    remedy = of_raw ? "give raw counts; scaled or centred data can't be used (h5ad: try --layer NAME)"
                    : "give raw counts; scaled or centred data can't be used (h5ad: try --layer NAME or --layer raw)";
  } else if (value > static_cast<double>(std::numeric_limits<float>::max())) {
    what = "is infinite or beyond float32";
    remedy = "give raw counts";
  }
  throw UserError(fmt::format("count {} of cell {} ('{}'), gene {} ('{}') in '{}' ({}) {}; {}", value, row,
                              name(place.cell_names, row), column, name(place.gene_names, column), place.file,
                              place.matrix, what, remedy));
}

float sum_as_count(const CountsPlace& place, std::int64_t row, std::int64_t column, double sum) {
  if (sum <= static_cast<double>(std::numeric_limits<float>::max())) return static_cast<float>(sum);
  CountsPlace where = place;
  where.matrix += (where.matrix.empty() ? "" : ", ") + std::string("its entries added up");
  refuse_count(where, row, column, sum);
}

MatrixShape matrix_shape(const ArrayFile& file, const std::string& name) {
  const ArrayInfo info = file.info(name);
  MatrixShape shape;
  if (info.is_group()) {
    sparse_format(file, name);
    std::vector<std::int64_t> extents = file.integers_attribute(name, "shape");
    if (extents.empty()) extents = file.integers_attribute(name, "h5sparse_shape");
    if (extents.size() != 2) no_matrix(file, name, "is a sparse matrix without a shape");
    shape = {extents[0], extents[1]};
  } else {
    if (!info.is_numeric()) no_matrix(file, name, "holds no numbers");
    if (info.shape.size() != 2) no_matrix(file, name, fmt::format("has the shape {}", info.shape_text()));
    shape = {info.shape[0], info.shape[1]};
  }
  if (shape.rows <= 0) throw UserError(fmt::format("'{}' in '{}' holds no cells", name, file.path().string()));
  if (shape.columns <= 0) throw UserError(fmt::format("'{}' in '{}' holds no genes", name, file.path().string()));
  if (shape.columns > INT32_MAX)
    throw UserError(fmt::format("'{}' in '{}' claims {} genes, more than {}: the file is damaged or transposed", name,
                                file.path().string(), shape.columns, INT32_MAX));
  return shape;
}

std::vector<std::int64_t> read_offsets(const ArrayFile& file, const std::string& name, std::int64_t lines) {
  const auto refuse = [&](const std::string& what) -> void {
    throw UserError(
        fmt::format("'{}/indptr' in '{}' {}; the file is damaged: write it again", name, file.path().string(), what));
  };
  for (const char* part : {"data", "indices", "indptr"})
    if (!file.exists(name + "/" + part)) no_matrix(file, name, fmt::format("has no '{}'", part));
  const ArrayInfo data = file.info(name + "/data");
  const ArrayInfo indices = file.info(name + "/indices");
  const ArrayInfo offsets = file.info(name + "/indptr");
  if (!data.is_numeric() || data.shape.size() != 1) no_matrix(file, name, "has 'data' that is no list of numbers");
  if (indices.kind != ArrayInfo::Kind::integer || indices.shape.size() != 1)
    no_matrix(file, name, "has 'indices' that are no list of integers");
  if (offsets.kind != ArrayInfo::Kind::integer || offsets.shape.size() != 1)
    no_matrix(file, name, "has 'indptr' that is no list of integers");
  if (offsets.rows() - 1 != lines) refuse(fmt::format("has {} values where {} belong", offsets.rows(), lines + 1));
  std::vector<std::int64_t> starts = file.read<std::int64_t>(name + "/indptr");
  if (starts.front() != 0) refuse(fmt::format("starts at {}, not 0", starts.front()));
  const auto drop = std::is_sorted_until(starts.begin(), starts.end());
  if (drop != starts.end()) refuse(fmt::format("falls from {} to {} at {}", *(drop - 1), *drop, drop - starts.begin()));
  const std::int64_t entries = std::min(data.rows(), indices.rows());
  if (starts.back() > entries || data.rows() != indices.rows())
    refuse(fmt::format("ends at {}, with {} data and {} indices", starts.back(), data.rows(), indices.rows()));
  return starts;
}

std::unique_ptr<CountsSource> make_source(const ArrayFile& file, const std::string& name, const CountsPlace& place) {
  if (!file.info(name).is_group()) return make_dense_source(file, name, place);
  return sparse_format(file, name) == "csr_matrix" ? make_csr_source(file, name, place)
                                                   : make_csc_source(file, name, place);
}

}  // namespace masksc
