#include "masksc/preprocess/coexpression.hpp"

#include <algorithm>
#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

/// Sums over cells of products and values, in fixed point: x stands for round(x * 2^bits). Exact, so in any order.
struct IntegerSums {
  std::vector<std::int64_t> products;  // [genes, genes], upper triangle row by row with the diagonal
  std::vector<std::int64_t> values;    // [genes]
};

std::size_t row_offset(std::int64_t gene, std::int64_t genes) {
  // Element (gene, other >= gene) of the triangle is at row_offset + other; never negative for gene >= 1.
  return static_cast<std::size_t>(gene * genes - gene * (gene + 1) / 2);
}

/// Bits after the point such that sums of `cells` products of values up to `largest` fit in 62 bits.
int fixed_point_bits(std::int64_t cells, double largest) {
  const double bits = (62 - std::log2(static_cast<double>(cells))) / 2 - std::log2(largest + 1e-6);
  return static_cast<int>(std::clamp(std::floor(bits) - 1, 0.0, 30.0));
}

void add_cell(std::span<const std::int32_t> genes, std::span<const std::int64_t> x, std::int64_t columns,
              IntegerSums& sums) {
  for (std::size_t a = 0; a < genes.size(); ++a) {
    sums.values[static_cast<std::size_t>(genes[a])] += x[a];
    std::int64_t* row = sums.products.data() + row_offset(genes[a], columns);
    for (std::size_t b = a; b < genes.size(); ++b) row[genes[b]] += x[a] * x[b];
  }
}

IntegerSums sum_products(const CsrMatrix& matrix, std::int64_t cells, RowRange rows, std::int64_t sampled, int bits,
                         Collectives& ranks) {
  const std::int64_t genes = matrix.columns;
  IntegerSums sums{std::vector<std::int64_t>(static_cast<std::size_t>(genes * (genes + 1) / 2)),
                   std::vector<std::int64_t>(static_cast<std::size_t>(genes))};
  std::vector<std::int64_t> fixed;
  for (std::int64_t i = 0; i < sampled; ++i) {
    const std::int64_t cell = i * cells / sampled;
    if (cell < rows.begin || cell >= rows.end) continue;
    const auto values = matrix.row_values(cell - rows.begin);
    fixed.resize(values.size());
    std::transform(values.begin(), values.end(), fixed.begin(),
                   [bits](float x) { return std::llround(std::ldexp(static_cast<double>(x), bits)); });
    add_cell(matrix.row_indices(cell - rows.begin), fixed, genes, sums);
  }
  ranks.all_reduce(std::span(sums.products));
  ranks.all_reduce(std::span(sums.values));
  return sums;
}

}  // namespace

bool is_correlated_cell(std::int64_t cell, std::int64_t cells) {
  const std::int64_t sampled = std::min(cells, kCoexpressionCells);
  const std::int64_t i = (cell * sampled + cells - 1) / cells;  // the first sample at or behind the cell
  return i * cells / sampled == cell;
}

PairDistances correlation_distances(const CsrMatrix& values, std::int64_t cells, RowRange rows, Collectives& ranks) {
  const std::int64_t genes = values.columns;
  const std::int64_t sampled = std::min(cells, kCoexpressionCells);
  const auto mine = std::max_element(values.values.begin(), values.values.end());
  const float largest = ranks.all_reduce(mine == values.values.end() ? 0.0F : *mine, ReduceOp::max);
  const IntegerSums sums =
      sum_products(values, cells, rows, sampled, fixed_point_bits(sampled, static_cast<double>(largest)), ranks);

  const auto covariance = [&](std::int64_t a, std::int64_t b) {
    return static_cast<double>(sums.products[row_offset(a, genes) + static_cast<std::size_t>(b)]) -
           static_cast<double>(sums.values[static_cast<std::size_t>(a)]) / static_cast<double>(sampled) *
               static_cast<double>(sums.values[static_cast<std::size_t>(b)]);
  };
  std::vector<double> variance(static_cast<std::size_t>(genes));
  for (std::int64_t gene = 0; gene < genes; ++gene) variance[static_cast<std::size_t>(gene)] = covariance(gene, gene);

  PairDistances distances(genes);
  std::size_t at = 0;
  for (std::int64_t a = 0; a < genes; ++a) {
    for (std::int64_t b = a + 1; b < genes; ++b) {
      const double scale = variance[static_cast<std::size_t>(a)] * variance[static_cast<std::size_t>(b)];
      distances.values[at++] = scale > 0 ? 1 - covariance(a, b) / std::sqrt(scale) : 1;
    }
  }
  return distances;
}

std::vector<std::int64_t> coexpression_order(const CsrMatrix& values, std::int64_t cells, RowRange rows,
                                             Collectives& ranks) {
  if (cells > kCoexpressionCells)
    log::info("gene order: correlations from {} of {} cells, evenly spaced", kCoexpressionCells, cells);
  PairDistances distances = correlation_distances(values, cells, rows, ranks);
  return of_root(ranks, [&] { return average_linkage_leaves(std::move(distances)); });
}

}  // namespace masksc
