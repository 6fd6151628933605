#include "masksc/preprocess/moments.hpp"

#include <algorithm>
#include <cmath>

#include "masksc/core/exact_sum.hpp"

namespace masksc {
namespace {

/// A power of two that brings sums up to `bound` into the range of ExactSums; 1 for all but huge data.
double fitting_scale(double bound) {
  int exponent = 0;
  std::frexp(bound, &exponent);
  return std::ldexp(1.0, -std::max(0, exponent - 49));
}

/// Moments of value_of(x) with squares square_of(value). |value_of(x)| <= largest.
template <typename Value, typename Square>
GeneMoments moments(const CsrMatrix& matrix, std::int64_t cells, double largest, Collectives& ranks, Value value_of,
                    Square square_of) {
  const auto n = static_cast<double>(cells);
  const auto genes = static_cast<std::size_t>(matrix.columns);
  const double sum_scale = fitting_scale(n * largest);
  const double square_scale = fitting_scale(n * largest * largest);
  ExactSums sums(genes);
  ExactSums squares(genes);
  for (std::size_t i = 0; i < matrix.indices.size(); ++i) {
    const auto gene = static_cast<std::size_t>(matrix.indices[i]);
    const auto value = value_of(matrix.values[i]);
    sums.add(gene, static_cast<double>(value) * sum_scale);
    squares.add(gene, static_cast<double>(square_of(value)) * square_scale);
  }
  ranks.all_reduce(sums.words());
  ranks.all_reduce(squares.words());

  GeneMoments result{std::vector<double>(genes), std::vector<double>(genes)};
  const double unbiased = cells > 1 ? n / (n - 1) : 1;
  for (std::size_t gene = 0; gene < genes; ++gene) {
    const double mean = sums.value(gene) / sum_scale / n;
    const double variance = squares.value(gene) / square_scale / n - mean * mean;
    // What a constant gene leaves after cancellation is rounding, not variance.
    const bool constant = variance <= 1e-12 * mean * mean;
    result.mean[gene] = mean;
    result.variance[gene] = constant ? 0 : variance * unbiased;
  }
  return result;
}

}  // namespace

GeneMoments normalized_count_moments(const CsrMatrix& values, std::int64_t cells, double median, Collectives& ranks) {
  return moments(
      values, cells, 1.01 * median, ranks, [](float x) { return std::expm1(x); }, [](float v) { return v * v; });
}

GeneMoments log_moments(const CsrMatrix& values, std::int64_t cells, double median, Collectives& ranks) {
  return moments(
      values, cells, std::log1p(1.01 * median), ranks, [](float x) { return static_cast<double>(x); },
      [](double v) { return v * v; });
}

}  // namespace masksc
