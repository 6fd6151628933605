// HeadAttention for processors with AVX-512: 32 registers of 16 floats.
#include "head_attention_lanes.hpp"

#ifdef __x86_64__
namespace masksc {
namespace {

struct Avx512 {
  using Floats [[gnu::vector_size(64)]] = float;
  static constexpr int block_rows = 8;
  static Floats add_product(const Floats& sums, float x, const Floats& y) { return sums + x * y; }
};

}  // namespace

constinit const HeadAttention<float> avx512_attention = LanesAttention<FloatFactors<Avx512>>::functions();

}  // namespace masksc
#endif
