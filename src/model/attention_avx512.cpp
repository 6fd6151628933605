// HeadAttention for processors with AVX-512: 32 registers of 16 floats.
#include "head_attention_lanes.hpp"

#ifdef __x86_64__
namespace masksc {
namespace {

struct Avx512 {
  using Floats [[gnu::vector_size(64)]] = float;
  static constexpr int block_rows = 8;
};

}  // namespace

const HeadAttention avx512_attention = LanesAttention<Avx512>::functions();

}  // namespace masksc
#endif
