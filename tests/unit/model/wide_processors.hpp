// For tests of kernels: processors that there are not, and numbers as kernels have them.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "../../../src/model/head_attention.hpp"

namespace masksc {

/// Vectors that no processor has: the compiler cuts them, so the way with wide ones is tried everywhere.
struct Wide {
  using Floats [[gnu::vector_size(64)]] = float;
  static constexpr int block_rows = 4;
  static Floats add_product(const Floats& sums, float x, const Floats& y) { return sums + x * y; }
};

/// Likewise products of pairs of bf16, as processors with instructions for them make them.
struct WidePairs {
  using Floats [[gnu::vector_size(64)]] = float;
  using Bits [[gnu::vector_size(64)]] = std::uint32_t;
  using Halves [[gnu::vector_size(32)]] = Bf16Bits;
  static constexpr int block_rows = 6;
  static Floats add_product(const Floats& sums, float x, const Floats& y) {
    const auto lower = [](const Floats& pairs) { return (Floats)((Bits)pairs << 16); };
    const auto upper = [](const Floats& pairs) { return (Floats)((Bits)pairs & 0xffff0000U); };
    Floats pair;
    for (int i = 0; i < 16; ++i) std::memcpy(reinterpret_cast<char*>(&pair) + 4 * i, &x, sizeof x);
    return sums + lower(pair) * lower(y) + upper(pair) * upper(y);
  }
  static Halves narrow(const Floats& x) {
    const Bits bits = (Bits)x;
    return __builtin_convertvector(((bits & 0x7fffffffU) > 0x7f800000U ? bits : bits + 0x7fff + (bits >> 16 & 1)) >> 16,
                                   Halves);
  }
  static Floats narrow_paired(const Floats& first, const Floats& second) {
    return (Floats)(__builtin_convertvector(narrow(first), Bits) | __builtin_convertvector(narrow(second), Bits) << 16);
  }
};

// Numbers of a kernel from those of the tests, which bf16 holds exactly, and back.
inline void convert(float from, float& to) { to = from; }
inline void convert(float from, Bf16Bits& to) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &from, sizeof bits);
  to = static_cast<Bf16Bits>(bits >> 16);
}
inline void convert(Bf16Bits from, float& to) {
  const std::uint32_t bits = std::uint32_t{from} << 16;
  std::memcpy(&to, &bits, sizeof to);
}
inline float rounded(float x) {
  Bf16Bits bits = 0;
  convert(x, bits);
  convert(bits, x);
  return x;
}

template <class To, class From>
std::vector<To> converted(const std::vector<From>& from) {
  std::vector<To> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) convert(from[i], to[i]);
  return to;
}

}  // namespace masksc
