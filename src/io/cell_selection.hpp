// Some of the cells of everything that anndata stores with one entry a cell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/io/array_file.hpp"

namespace masksc {

/// Which dimensions of a matrix are the cells.
struct CellAxes {
  bool rows = true;
  bool columns = false;
};

class CellSelection {
 public:
  /// `kept`: rows in ascending order, of `cells` in all.
  CellSelection(std::int64_t cells, const std::vector<std::int64_t>& kept);

  [[nodiscard]] bool all() const { return kept_ == cells_; }
  /// Whether `name` has an encoding whose cells can be told apart, and one entry a cell. Arrays, categorical, nullable
  /// and string columns, CSR, CSC, and data frames of these (columns with categories that anndata 0.7 kept aside, too).
  [[nodiscard]] bool can_select(const ArrayFile& file, const std::string& name, CellAxes axes = {}) const;
  /// Copies the kept cells of `name`, which can be selected, to `to`.
  void select(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to,
              CellAxes axes = {}) const;

 private:
  void select_sparse(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to,
                     CellAxes axes) const;
  /// Copies those of the entries of the kept lines whose index is that of a kept cell, renumbered.
  std::vector<std::int64_t> select_entries(const ArrayFile& from, const std::string& name, ArrayFile& file,
                                           const std::string& to, const std::vector<std::int64_t>& starts,
                                           bool lines_are_cells) const;

  std::int64_t cells_;
  std::int64_t kept_;
  std::vector<RowRange> ranges_;       // of kept cells
  std::vector<std::int64_t> new_row_;  // of each cell, -1 for one that is dropped
};

}  // namespace masksc
