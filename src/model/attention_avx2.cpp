// HeadAttention for processors with AVX2 and FMA: 16 registers of 8 floats.
#include "head_attention_lanes.hpp"

#ifdef __x86_64__
namespace masksc {
namespace {

struct Avx2 {
  using Floats [[gnu::vector_size(32)]] = float;
  static constexpr int block_rows = 6;
  static Floats add_product(const Floats& sums, float x, const Floats& y) { return sums + x * y; }
};

}  // namespace

constinit const HeadAttention<float> avx2_attention = LanesAttention<FloatFactors<Avx2>>::functions();

}  // namespace masksc
#endif
