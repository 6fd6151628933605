// Files of counts that the tests of this room make, and how they look at what came back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "masksc/io/array_file.hpp"
#include "masksc/io/counts_reader.hpp"
#include "temporary_folder.hpp"

namespace masksc {

/// Row-major counts; cell 2 is empty, gene 4 never counted.
struct Counts {
  std::int64_t cells = 5;
  std::int64_t genes = 6;
  std::vector<double> values = {
      1, 0, 2, 0, 0, 3,   //
      0, 4, 0, 0, 0, 0,   //
      0, 0, 0, 0, 0, 0,   //
      5, 0, 0, 6, 0, 0,   //
      0, 0, 7, 0, 0, 80,  //
  };
};

template <typename T>
std::span<const T> view(const std::vector<T>& values) {
  return values;
}

inline std::vector<double> dense(const CsrMatrix& matrix) {
  std::vector<double> values(static_cast<std::size_t>(matrix.rows * matrix.columns));
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    for (std::size_t i = 0; i < matrix.row_size(row); ++i)
      values[static_cast<std::size_t>(row * matrix.columns + matrix.row_indices(row)[i])] =
          static_cast<double>(matrix.row_values(row)[i]);
  return values;
}

inline void write_xy(const std::filesystem::path& path, const Counts& counts, const std::vector<double>& labels) {
  ArrayFile file = ArrayFile::create(path);
  file.write("X", view(counts.values), {counts.cells, counts.genes});
  if (!labels.empty()) file.write("Y", view(labels), {static_cast<std::int64_t>(labels.size())});
  file.close();
}

/// A data frame with an index "PREFIX0", "PREFIX1", ...
inline void write_frame(ArrayFile& file, const std::string& frame, const std::string& prefix, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  file.create_group(frame);
  file.set_attribute(frame, "_index", std::string("names"));
  file.write_text(frame + "/names", names);
}

struct Sparse {
  std::vector<float> data;
  std::vector<std::int32_t> indices;
  std::vector<std::int64_t> indptr = {0};
};

/// CSR of the counts, or CSC when `by_column`.
inline Sparse compress(const Counts& counts, bool by_column) {
  Sparse sparse;
  const std::int64_t lines = by_column ? counts.genes : counts.cells;
  const std::int64_t entries = by_column ? counts.cells : counts.genes;
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::int64_t entry = 0; entry < entries; ++entry) {
      const std::int64_t at = by_column ? entry * counts.genes + line : line * counts.genes + entry;
      const double value = counts.values[static_cast<std::size_t>(at)];
      if (value == 0) continue;
      sparse.data.push_back(static_cast<float>(value));
      sparse.indices.push_back(static_cast<std::int32_t>(entry));
    }
    sparse.indptr.push_back(static_cast<std::int64_t>(sparse.data.size()));
  }
  return sparse;
}

inline void write_sparse(ArrayFile& file, const std::string& name, const Sparse& sparse, const std::string& encoding,
                         std::int64_t rows, std::int64_t columns) {
  const auto entries = static_cast<std::int64_t>(sparse.data.size());
  const std::vector<std::int64_t> shape = {rows, columns};
  file.create_group(name);
  file.set_attribute(name, "encoding-type", encoding);
  file.set_attribute(name, "shape", view(shape));
  file.write(name + "/data", view(sparse.data), {entries});
  file.write(name + "/indices", view(sparse.indices), {static_cast<std::int64_t>(sparse.indices.size())});
  file.write(name + "/indptr", view(sparse.indptr), {static_cast<std::int64_t>(sparse.indptr.size())});
}

/// An h5ad file with obs and var; `fill` adds the matrices and columns.
inline void write_h5ad(const std::filesystem::path& path, const Counts& counts,
                       const std::function<void(ArrayFile&)>& fill) {
  ArrayFile file = ArrayFile::create(path);
  write_frame(file, "obs", "cell", counts.cells);
  write_frame(file, "var", "gene", counts.genes);
  fill(file);
  file.close();
}

/// The message of the UserError that `work` must throw.
template <typename Work>
std::string user_error(Work&& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "expected a UserError, got: " << error.what();
    return "";
  }
  ADD_FAILURE() << "expected a UserError";
  return "";
}

inline std::vector<double> read_all(const std::filesystem::path& path, const InputSettings& settings = {}) {
  const auto reader = open_counts(path, settings);
  return dense(reader->read_rows({0, reader->cells()}));
}

}  // namespace masksc
