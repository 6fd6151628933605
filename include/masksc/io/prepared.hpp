// The prepared file: counts as row-chunked CSR, uncompressed, so that every rank reads its own rows by collective
// parallel-HDF5 transfers. Ranks that are threads, and a single rank, read the same file without MPI.
//
// Layout (HDF5), version 2: attributes `masksc` (format), `version`, `fingerprint`, `label_column`, `batch_column`;
// `row_start` int64 [cells + 1]; `indices` uint16 [nonzeros], int32 for more than 65,536 genes; `values` uint8
// [nonzeros], where 0 stands for the next of `large` float32, the counts above 255 or not whole; `large_start` int64
// [cells + 1]; `original_rows` int64 [cells]; `cell_names` and `gene_names` (`start` int64 [n + 1] into `bytes` uint8);
// `labels/{codes int32 [cells], names/...}` and the same for `batches`; `gene_ids` as the names and `highly_variable`
// uint8 [genes], where the input has them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/io/counts_reader.hpp"

namespace masksc {

struct PreparationReport {
  std::int64_t cells = 0;  // kept
  std::int64_t genes = 0;
  std::int64_t nonzeros = 0;
  std::int64_t empty_cells_dropped = 0;
  std::int64_t genes_without_counts = 0;  // kept in the file; preprocessing drops them
  std::int64_t cells_renamed = 0;         // because another cell has their name
  std::int64_t genes_renamed = 0;
  double largest_fraction = 0;             // the largest value where some are no integers, else 0
  std::vector<std::string> not_kept = {};  // parts of the input that --keep-input could not keep
};

/// What users should know of it, a sentence each.
std::vector<std::string> warnings_of(const PreparationReport& report);

constexpr std::int64_t default_block_bytes = std::int64_t{128} << 20;

/// Streams all counts of `reader` into the prepared file `to`, at most `block_bytes` of counts at a time. Cells without
/// counts are dropped; names that repeat are made unique as anndata does. The file appears whole or not at all. Throws
/// UserError (bad counts), EnvironmentError (disk).
PreparationReport write_prepared(CountsReader& reader, const std::filesystem::path& to,
                                 std::int64_t block_bytes = default_block_bytes);

/// Opens the counts `from`, joined where they are several (open_inputs), and writes the prepared file `to`, in a
/// process of its own: a file that crashes HDF5 is a UserError like any other damage. Says what it reads on the log.
/// Unless empty, `keep` is the file to write with all that one h5ad input holds beside its counts, or what obs of
/// several has, for the cells that are left: see H5adWriter::keep. Then there are both files or none. `check` is called
/// in that process once the inputs are open; the UserError that it throws comes out here.
PreparationReport prepare_counts(const std::vector<std::filesystem::path>& from, const InputSettings& settings,
                                 const std::filesystem::path& to, const std::filesystem::path& keep = {},
                                 const std::function<void(const CountsReader&)>& check = {});

/// Throws UserError for settings that choose counts or features: of the prepared file `path` that was done before.
void refuse_choices(const std::filesystem::path& path, const InputSettings& settings);

/// Throws UserError where --labels asks for others than those of `column` ("" is none), which the prepared file `path`
/// was made with. "yes" takes any.
void check_label_column(const std::filesystem::path& path, const std::string& column, const std::string& labels);

/// Whether `path` is a prepared file; false for anything else, readable or not. A prepared file is read through once,
/// but for its counts, in a process of its own. Throws UserError when that crashes: then nothing else may open the
/// file.
bool is_prepared(const std::filesystem::path& path);

class PreparedFile {
 public:
  /// Opened by all ranks together; a collective. The ranks must outlive the file. Throws UserError.
  PreparedFile(const std::filesystem::path& path, Collectives& ranks);
  PreparedFile(PreparedFile&&) noexcept;
  PreparedFile& operator=(PreparedFile&&) noexcept;
  ~PreparedFile();

  [[nodiscard]] std::int64_t cells() const;
  [[nodiscard]] std::int64_t genes() const;
  [[nodiscard]] std::int64_t nonzeros() const;
  [[nodiscard]] const std::vector<std::string>& gene_names() const;
  /// One a gene; empty when the input had none.
  [[nodiscard]] const std::vector<std::string>& gene_ids() const;
  /// Hash of counts and names, whatever their storage was; labels are not part of it.
  [[nodiscard]] std::string fingerprint() const;
  /// The column the labels came from; "" without labels.
  [[nodiscard]] std::string label_column() const;
  /// The column of obs that the batches came from, or are to go to; "" without batches.
  [[nodiscard]] std::string batch_column() const;
  /// One flag a gene; empty when the input had none.
  [[nodiscard]] const std::vector<std::uint8_t>& highly_variable() const;

  // Collectives: every rank calls them, each with rows of its own (or none). They throw UserError on a damaged file.
  [[nodiscard]] CsrMatrix read_rows(RowRange rows) const;
  [[nodiscard]] std::vector<std::string> cell_names(RowRange rows) const;
  /// Of all cells, on every rank; empty without labels.
  [[nodiscard]] Labels labels() const;
  /// The same for the batches.
  [[nodiscard]] Labels batches() const;
  /// The row in the input of every kept cell.
  [[nodiscard]] std::vector<std::int64_t> original_rows() const;

  /// Whether MPI-IO moved every read of this file collectively; false when ranks are not MPI processes.
  [[nodiscard]] bool reads_were_collective() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace masksc
