// Writes an h5ad file (anndata on-disk format 0.1.0, readers from anndata 0.8 on), streamed in blocks of cells.
// The file appears under its name when finish() returns; until then, and after an error, the name is untouched.
// Every function throws EnvironmentError when the disk refuses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"

namespace masksc {

class H5adWriter {
 public:
  /// Opens the staging file; used on one rank only.
  H5adWriter(const std::filesystem::path& path, std::vector<std::string> cell_names,
             std::vector<std::string> gene_names);
  H5adWriter(const H5adWriter&) = delete;
  H5adWriter& operator=(const H5adWriter&) = delete;
  /// Removes the staging file unless finish() published it.
  ~H5adWriter();

  /// Everything in `kept`, which prepare_counts made of an input with these cells and genes, but for the names in
  /// `ours` ("obs/masksc"), what lies below them and what is written already; the indices take the names that those of
  /// the input have, but not those of `columns` ("var/gene_ids"), which may be added. Comes before anything is added.
  void keep(const std::filesystem::path& kept, const std::vector<std::string>& ours,
            const std::vector<std::string>& columns = {});
  /// Whether there is such a part ("obs/cell_type").
  [[nodiscard]] bool has(const std::string& name) const;
  /// obs[name], categorical; one label a cell. A '/' in the name of a column nests groups, as anndata writes it.
  void add_obs(const std::string& name, const Labels& labels);
  /// obs[name], numbers; one a cell.
  void add_obs(const std::string& name, std::span<const double> values);
  /// obs[name], true or false; one a cell.
  void add_obs(const std::string& name, std::span<const std::uint8_t> flags);
  /// var[name], true or false; one a gene.
  void add_var(const std::string& name, std::span<const std::uint8_t> flags);
  /// var[name], texts; one a gene.
  void add_var(const std::string& name, std::span<const std::string> texts);
  /// var[name], numbers; one a gene.
  void add_var(const std::string& name, std::span<const double> values);
  /// obsm[name], float32 [cells, columns], filled by append_obsm in the order of the cells.
  void add_obsm(const std::string& name, std::int64_t columns);
  void append_obsm(const std::string& name, const DenseMatrix& rows);
  /// The next cells of X (CSR, float32). A file without X is allowed: no call, or all of the cells.
  void append_X(const CsrMatrix& rows);
  /// uns[name]. Objects become groups, numbers, texts and flags scalars, arrays of one kind arrays, other arrays JSON
  /// text; null is left out. A '/' in a key becomes '_': HDF5 would make groups of it.
  void set_uns(const std::string& name, const Json& value);
  /// Checks that every matrix has all its rows, closes and publishes.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace masksc
