#include "masksc/preprocess/moments.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

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

double largest_of(MomentSums::Of of, double median) {
  return of == MomentSums::Of::logs ? std::log1p(1.01 * median) : 1.01 * median;
}

std::int64_t largest_group(const std::vector<std::int64_t>& group_cells) {
  return *std::max_element(group_cells.begin(), group_cells.end());
}

/// Adds value_of(x) and its square for every entry. value_of(0) = 0.
template <typename Value>
void add_entries(const CsrMatrix& block, std::span<const std::int32_t> group, std::size_t genes, double sum_scale,
                 double square_scale, std::span<std::int64_t> words, Value value_of) {
  TermCache terms([&](float x, ExactSums& pair) {
    const auto value = value_of(x);
    pair.add(0, static_cast<double>(value) * sum_scale);
    pair.add(1, static_cast<double>(value * value) * square_scale);
  });
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const std::size_t first =
        group.empty() ? 0 : static_cast<std::size_t>(group[static_cast<std::size_t>(row)]) * genes;
    std::int64_t* of_group = words.data() + 4 * first;
    const auto indices = block.row_indices(row);
    const auto values = block.row_values(row);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto& add = terms(values[i]);
      std::int64_t* to = of_group + 4 * static_cast<std::size_t>(indices[i]);
      for (std::size_t k = 0; k < add.size(); ++k) to[k] += add[k];
    }
  }
}

}  // namespace

MomentSums::MomentSums(Of of, std::int64_t genes, std::vector<std::int64_t> group_cells, double median)
    : of_(of),
      genes_(static_cast<std::size_t>(genes)),
      group_cells_(std::move(group_cells)),
      sum_scale_(fitting_scale(static_cast<double>(largest_group(group_cells_)) * largest_of(of, median))),
      square_scale_(fitting_scale(static_cast<double>(largest_group(group_cells_)) * largest_of(of, median) *
                                  largest_of(of, median))),
      sums_(2 * genes_ * group_cells_.size()) {}

void MomentSums::add(const CsrMatrix& block, std::span<const std::int32_t> group) {
  if (of_ == Of::logs)
    add_entries(block, group, genes_, sum_scale_, square_scale_, sums_.words(),
                [](float x) { return static_cast<double>(x); });
  else  // in float32, where scanpy rounds
    add_entries(block, group, genes_, sum_scale_, square_scale_, sums_.words(), [](float x) { return std::expm1(x); });
}

std::vector<GeneMoments> MomentSums::finish(Collectives& ranks) {
  ranks.all_reduce(sums_.words());
  std::vector<GeneMoments> all;
  for (std::size_t group = 0; group < group_cells_.size(); ++group) {
    GeneMoments& result = all.emplace_back();
    const auto n = static_cast<double>(std::max<std::int64_t>(group_cells_[group], 1));
    const double unbiased = n > 1 ? n / (n - 1) : 1;
    for (std::size_t gene = group * genes_; gene < (group + 1) * genes_; ++gene) {
      const double mean = sums_.value(2 * gene) / sum_scale_ / n;
      const double variance = sums_.value(2 * gene + 1) / square_scale_ / n - mean * mean;
      // What a constant gene leaves after cancellation is rounding, not variance.
      const bool constant = variance <= 1e-12 * mean * mean;
      result.mean.push_back(mean);
      result.variance.push_back(constant ? 0 : variance * unbiased);
    }
  }
  return all;
}

}  // namespace masksc
