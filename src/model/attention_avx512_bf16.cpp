// HeadAttention in bf16 for processors with AVX-512 that multiply pairs of such numbers (VDPBF16PS).
#include "head_attention_lanes.hpp"

#ifdef __x86_64__
#include <immintrin.h>

namespace masksc {
namespace {

struct Avx512Bf16 {
  using Floats [[gnu::vector_size(64)]] = float;
  using Halves [[gnu::vector_size(32)]] = Bf16Bits;
  static constexpr int block_rows = 12;
  static Floats add_product(const Floats& sums, float x, const Floats& y) {
    return (Floats)_mm512_dpbf16_ps((__m512)sums, (__m512bh)(__m512)y, (__m512bh)_mm512_set1_ps(x));
  }
  static Halves narrow(const Floats& x) { return (Halves)_mm512_cvtneps_pbh((__m512)x); }
};

}  // namespace

constinit const HeadAttention<Bf16Bits> avx512_bf16_attention = LanesAttention<PairFactors<Avx512Bf16>>::functions();

}  // namespace masksc
#endif
