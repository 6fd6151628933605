// Rows of a prepared file, read by one rank alone: without HDF5, MPI or a lock, by any thread at any time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "masksc/core/types.hpp"

namespace masksc {

class PreparedRows {
 public:
  /// Finds where the arrays lie, which are stored without filters. Throws UserError when the file is not what it should
  /// be.
  explicit PreparedRows(const std::filesystem::path& path);
  PreparedRows(PreparedRows&&) noexcept;
  PreparedRows& operator=(PreparedRows&&) noexcept;
  ~PreparedRows();

  [[nodiscard]] std::int64_t cells() const;
  [[nodiscard]] std::int64_t genes() const;
  [[nodiscard]] std::int64_t nonzeros() const;
  /// The counts of `rows`, all genes: what PreparedFile::read_rows returns. Throws UserError on a damaged file,
  /// EnvironmentError when the disk refuses.
  [[nodiscard]] CsrMatrix read(RowRange rows) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace masksc
