#include "masksc/preprocess/moments.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

#include "masksc/core/exact_sum.hpp"

namespace masksc {
namespace {

/// A power of two that brings sums up to `bound` into the range of ExactSums; 1 for all but huge data.
double fitting_scale(double bound) {
  int exponent = 0;
  std::frexp(bound, &exponent);
  return std::ldexp(1.0, -std::max(0, exponent - 49));
}

/// What one value adds to its gene's two sums, in words of ExactSums. Most values of a cell recur (its counts of 1, 2,
/// ...), so that terms are looked up by the bits of the value.
template <typename Terms>
class TermCache {
 public:
  using Words = std::array<std::int64_t, 4>;

  explicit TermCache(Terms terms) : terms_(terms) {}

  const Words& operator()(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    Entry& entry = entries_[(bits * 0x9E3779B1U) >> 24];
    if (entry.bits != bits) {
      const std::span<std::int64_t> words = pair_.words();
      std::fill(words.begin(), words.end(), 0);
      terms_(x, pair_);
      std::copy(words.begin(), words.end(), entry.words.begin());
      entry.bits = bits;
    }
    return entry.words;
  }

 private:
  struct Entry {
    std::uint32_t bits = 0;  // of 0.0, whose terms are 0
    Words words{};
  };
  Terms terms_;
  ExactSums pair_{2};
  std::array<Entry, 256> entries_{};
};

/// Moments of value_of(x) with squares square_of(value). |value_of(x)| <= largest, value_of(0) = 0.
template <typename Value, typename Square>
GeneMoments moments(const CsrMatrix& matrix, std::int64_t cells, double largest, Collectives& ranks, Value value_of,
                    Square square_of) {
  const auto n = static_cast<double>(cells);
  const auto genes = static_cast<std::size_t>(matrix.columns);
  const double sum_scale = fitting_scale(n * largest);
  const double square_scale = fitting_scale(n * largest * largest);
  TermCache terms([&](float x, ExactSums& pair) {
    const auto value = value_of(x);
    pair.add(0, static_cast<double>(value) * sum_scale);
    pair.add(1, static_cast<double>(square_of(value)) * square_scale);
  });
  ExactSums sums(2 * genes);  // value and square of each gene, side by side in memory
  const std::span<std::int64_t> words = sums.words();
  for (std::size_t i = 0; i < matrix.indices.size(); ++i) {
    const auto& add = terms(matrix.values[i]);
    std::int64_t* to = words.data() + 4 * static_cast<std::size_t>(matrix.indices[i]);
    for (std::size_t k = 0; k < add.size(); ++k) to[k] += add[k];
  }
  ranks.all_reduce(words);

  GeneMoments result{std::vector<double>(genes), std::vector<double>(genes)};
  const double unbiased = cells > 1 ? n / (n - 1) : 1;
  for (std::size_t gene = 0; gene < genes; ++gene) {
    const double mean = sums.value(2 * gene) / sum_scale / n;
    const double variance = sums.value(2 * gene + 1) / square_scale / n - mean * mean;
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
