#include "judged_cells.hpp"

#include "masksc/cluster/groups.hpp"
#include "masksc/core/chosen.hpp"

namespace masksc {

DealtSample judged_components(const CellComponents& components, const Expression& expression, std::uint64_t seed) {
  DealtSample judged = take_rows(DealtRows{components.scores, expression.rows, expression.cells},
                                 sample_rows(expression.cells, kJudgedCells, seed));
  judged.local = first_columns(judged.local, kJudgedComponents);
  return judged;
}

}  // namespace masksc
