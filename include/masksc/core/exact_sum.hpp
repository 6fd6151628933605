// Sums whose bits don't depend on the order of their terms: fixed-point accumulation in two 64-bit words.
// So statistics over cells are identical on any number of ranks, however the rows are dealt out.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/error.hpp"

namespace masksc {

/// `size` independent sums of doubles. A term is rounded to a multiple of 2^-44; the sum of the rounded terms is exact
/// while |sum| < 2^50 and there are fewer than 2^31 terms. Add up over ranks by all-reducing `words()` (int64, sum).
class ExactSums {
 public:
  explicit ExactSums(std::size_t size) : words_(2 * size) {}

  void add(std::size_t at, double value) {
    if (!(std::abs(value) < 0x1.0p50)) throw InvariantError("ExactSums: term too large or not a number");
    const double high = std::floor(value * 0x1.0p12);  // multiples of 2^-12
    const double low = value - high * 0x1.0p-12;       // exact, in [0, 2^-12)
    words_[2 * at] += static_cast<std::int64_t>(high);
    words_[2 * at + 1] += std::llrint(low * 0x1.0p44);  // < 2^32 a term
  }
  [[nodiscard]] double value(std::size_t at) const {
    return static_cast<double>(words_[2 * at]) * 0x1.0p-12 + static_cast<double>(words_[2 * at + 1]) * 0x1.0p-44;
  }
  [[nodiscard]] std::size_t size() const { return words_.size() / 2; }
  [[nodiscard]] std::span<std::int64_t> words() { return words_; }

 private:
  std::vector<std::int64_t> words_;
};

}  // namespace masksc
