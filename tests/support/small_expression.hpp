// A small expression matrix dealt out over ranks, for tests of what follows preparation.
#pragma once

#include <fmt/format.h>

#include <cstdint>

#include "masksc/core/random.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/expression.hpp"

namespace masksc {

/// `cells` cells of three groups, side x side genes in patches of `patch`, about a third of the values above zero; the
/// rows of this rank.
inline Expression small_expression(std::int64_t cells, std::int64_t side, std::int64_t patch, Collectives& ranks) {
  Expression expression;
  expression.cells = cells;
  expression.rows = rows_of_rank(cells, ranks.rank(), ranks.size());
  const std::int64_t genes = side * side;
  CsrMatrix& values = expression.values;
  values.rows = expression.rows.size();
  values.columns = genes;
  for (std::int64_t cell = expression.rows.begin; cell < expression.rows.end; ++cell) {
    RandomStream random(11, Purpose::simulate, 0, static_cast<std::uint64_t>(cell));
    for (std::int64_t gene = 0; gene < genes; ++gene) {
      const double level = (gene % 3 == cell % 3) ? 0.7 : 0.2;
      if (random.uniform() > level) continue;
      values.indices.push_back(static_cast<std::int32_t>(gene));
      values.values.push_back(static_cast<float>(0.2 + 2 * random.uniform()));
    }
    values.row_start.push_back(static_cast<std::int64_t>(values.indices.size()));
  }
  expression.layout = lay_out({side, side, patch, patch}, genes);
  for (std::int64_t gene = 0; gene < genes; ++gene) {
    expression.genes.push_back(gene);
    expression.gene_names.push_back(fmt::format("g{}", gene));
    expression.scaling.mean.push_back(0.4F);
    expression.scaling.inverse_sd.push_back(1.5F);
  }
  return expression;
}

}  // namespace masksc
