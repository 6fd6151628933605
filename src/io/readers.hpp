// The readers behind open_counts, one a format.
#pragma once

#include <memory>
#include <vector>

#include "counts_source.hpp"
#include "masksc/io/counts_reader.hpp"

namespace masksc {

/// A reader whose counts come from one matrix of an open file.
class MatrixReader final : public CountsReader {
 public:
  struct Parts {
    ArrayFile file;
    CountsPlace place;
    Labels labels;
    std::string label_column;
    std::vector<std::uint8_t> highly_variable;
    bool rows_are_cells = false;  // CSR without the attributes of anndata that say so
    Labels batches = {};
    std::string batch_column = {};
    std::vector<std::string> obs_columns = {};
    std::vector<std::string> gene_ids = {};
  };
  explicit MatrixReader(Parts parts) : parts_(std::move(parts)), source_(source_of(parts_)) {}

  [[nodiscard]] std::string path() const override { return parts_.file.path().string(); }
  [[nodiscard]] std::int64_t cells() const override { return parts_.place.cells(); }
  [[nodiscard]] std::int64_t genes() const override { return parts_.place.genes(); }
  [[nodiscard]] const std::vector<std::string>& cell_names() const override { return parts_.place.cell_names; }
  [[nodiscard]] const std::vector<std::string>& gene_names() const override { return parts_.place.gene_names; }
  [[nodiscard]] const Labels& labels() const override { return parts_.labels; }
  [[nodiscard]] std::string label_column() const override { return parts_.label_column; }
  [[nodiscard]] const Labels& batches() const override { return parts_.batches; }
  [[nodiscard]] std::string batch_column() const override { return parts_.batch_column; }
  [[nodiscard]] std::vector<std::string> gene_ids() const override { return parts_.gene_ids; }
  [[nodiscard]] std::vector<std::string> obs_columns() const override { return parts_.obs_columns; }
  [[nodiscard]] std::vector<std::uint8_t> highly_variable() const override { return parts_.highly_variable; }
  void release_rows() override { source_.reset(); }
  CsrMatrix read_rows(RowRange rows) override;

 private:
  static std::unique_ptr<CountsSource> source_of(const Parts& parts) {
    const CountsPlace& place = parts.place;
    return parts.rows_are_cells ? make_csr_source(parts.file, place.matrix, place)
                                : make_source(parts.file, place.matrix, place);
  }

  Parts parts_;
  std::unique_ptr<CountsSource> source_;
};

bool looks_like_xy(const ArrayFile& file);
bool looks_like_h5ad(const ArrayFile& file);
bool looks_like_10x(const ArrayFile& file);
std::unique_ptr<CountsReader> open_xy(ArrayFile file, const InputSettings& settings);
std::unique_ptr<CountsReader> open_h5ad(ArrayFile file, const InputSettings& settings);
std::unique_ptr<CountsReader> open_10x(ArrayFile file, const InputSettings& settings);
std::unique_ptr<CountsReader> open_mtx(const std::filesystem::path& folder, const InputSettings& settings);
std::unique_ptr<CountsReader> open_prepared(const std::filesystem::path& path, const InputSettings& settings);

/// Throws UserError unless rows x columns can be named: a damaged shape must not ask for all memory.
void check_shape(const ArrayFile& file, const std::string& matrix, MatrixShape shape);

}  // namespace masksc
