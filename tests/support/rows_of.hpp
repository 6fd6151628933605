// The rows that a rank holds.
#pragma once

#include <algorithm>

#include "masksc/core/types.hpp"

namespace masksc {

/// Rows `mine` of `x`.
inline DenseMatrix rows_of(const DenseMatrix& x, RowRange mine) {
  DenseMatrix part(mine.size(), x.columns);
  std::copy_n(x.values.begin() + mine.begin * x.columns, part.values.size(), part.values.begin());
  return part;
}

}  // namespace masksc
