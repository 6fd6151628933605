// Any input of counts, chosen by its content, read in blocks of cells by one process.
//
// X/Y HDF5: dense `X` (cells x genes, any numeric type), optionally `Y` (one label a cell). It has no names, so cells
// and genes are called "0", "1", ... as scanpy calls them. h5ad: `X`, `layers/NAME` or `raw/X`, as CSR, CSC or dense;
// names from obs and var; labels from any obs column. 10x, as Cell Ranger writes it: HDF5 (`matrix` with `features`, or
// a group a genome), or a folder of matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv, plain or gzip; genes are
// called by their symbols. A file that masksc_prepare wrote is read as well.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "masksc/core/options.hpp"
#include "masksc/core/types.hpp"

namespace masksc {

/// What 10x calls the features that are genes.
constexpr const char* gene_expression = "Gene Expression";

/// Which genes a joined input has: those of every file, or those of any, absent ones counting 0.
enum class GeneJoin { inner, outer };

struct InputSettings {
  std::string layer;                           // h5ad: "" is X; "raw" is raw/X; else layers/NAME
  std::string labels;                          // h5ad: column of obs; X/Y: "Y" or "yes"; "" is none
  bool allow_noninteger = false;               // normalised data: finite and not negative is enough
  std::string genome = {};                     // 10x: "" where there is only one
  std::string feature_type = gene_expression;  // 10x: features of other types are left out
  GeneJoin join = GeneJoin::inner;
  std::string batch_key = {};  // column of obs that says which batch a cell is of; see open_inputs
};

void describe(OptionTable& table, InputSettings& settings);

class CountsReader {
 public:
  CountsReader() = default;
  CountsReader(const CountsReader&) = delete;
  CountsReader& operator=(const CountsReader&) = delete;
  virtual ~CountsReader() = default;

  /// The file or folder, for messages.
  [[nodiscard]] virtual std::string path() const = 0;
  [[nodiscard]] virtual std::int64_t cells() const = 0;
  [[nodiscard]] virtual std::int64_t genes() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& cell_names() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& gene_names() const = 0;
  /// Identifiers of the genes beside their names, such as Ensembl's: of 10x, or var['gene_ids']; empty where the input
  /// has none.
  [[nodiscard]] virtual std::vector<std::string> gene_ids() const { return {}; }
  /// One a cell, or empty when no labels were asked for. Names are in anndata's order for a categorical column,
  /// by value for numbers (named by their text: "1", "2"), by text otherwise; a missing label is -1.
  [[nodiscard]] virtual const Labels& labels() const = 0;
  /// The column the labels came from; "" without labels.
  [[nodiscard]] virtual std::string label_column() const = 0;
  /// The batch of each cell; empty where none is known.
  [[nodiscard]] virtual const Labels& batches() const = 0;
  /// The column of obs that holds them; "" without batches.
  [[nodiscard]] virtual std::string batch_column() const = 0;
  /// The columns of obs; none where the format has no such thing.
  [[nodiscard]] virtual std::vector<std::string> obs_columns() const { return {}; }
  /// var['highly_variable'], one flag a gene; empty when the file has none.
  [[nodiscard]] virtual std::vector<std::uint8_t> highly_variable() const = 0;
  /// The counts of `rows`, without stored zeros. Fastest in ascending blocks; a block's memory is the caller's choice.
  /// Throws UserError that names the first bad cell and gene: negative, NaN, infinite, or not whole.
  virtual CsrMatrix read_rows(RowRange rows) = 0;
  /// Gives back the memory that reading takes; rows may be read again.
  virtual void release_rows() {}
};

/// Throws UserError: unreadable, no layout that is known, no cells or genes, labels or layer not there, damaged.
std::unique_ptr<CountsReader> open_counts(const std::filesystem::path& path, const InputSettings& settings);

/// The files that the input at `path` consists of: itself, or those of a 10x folder. Throws UserError for a folder that
/// is none.
std::vector<std::filesystem::path> input_files(const std::filesystem::path& path);

}  // namespace masksc
