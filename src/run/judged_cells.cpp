#include "judged_cells.hpp"

#include <algorithm>
#include <utility>

#include "masksc/cluster/groups.hpp"

namespace masksc {

DealtSample judged_components(const CellComponents& components, const Expression& expression, std::uint64_t seed) {
  DealtSample judged = take_rows(DealtRows{components.scores, expression.rows, expression.cells},
                                 sample_rows(expression.cells, kJudgedCells, seed));
  const DenseMatrix& all = judged.local;
  DenseMatrix first(all.rows, std::min(all.columns, kJudgedComponents));
  for (std::int64_t row = 0; row < first.rows; ++row)
    std::copy_n(all.row(row).begin(), first.columns, first.row(row).begin());
  judged.local = std::move(first);
  return judged;
}

}  // namespace masksc
