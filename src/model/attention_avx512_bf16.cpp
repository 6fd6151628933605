// HeadAttention in bf16 for processors with AVX-512 that multiply pairs of such numbers (VDPBF16PS), and for those that
// multiply tiles of them (AMX-BF16), too. The instructions for tiles stand only where they are written out.
#include "head_attention_lanes.hpp"
#include "head_tiles.hpp"

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
  /// Four bytes each: one of the first, then one of the second.
  static Floats narrow_paired(const Floats& first, const Floats& second) {
    using All [[gnu::vector_size(64)]] = std::int16_t;
    constexpr All order = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return (Floats)_mm512_permutexvar_epi16((__m512i)order,
                                            (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
  }
};

/// What a thread's tiles are: eight of 16 rows of 64 bytes (Intel's Software Developer's Manual, palette 1).
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);

struct Amx : Avx512Bf16 {
  using Int = std::int64_t;

  /// x = n + r with whole n and 0 <= r < 1, 2^r by the polynomial of degree 4 with the least relative error (2.6e-6, a
  /// thousandth of bf16's steps; found by linear programming): beside tiles softmax takes most of the
  /// time.
  static Floats power_of_two(const Floats& x) {
    const Floats r = (Floats)_mm512_reduce_ps((__m512)x, 1);
    Floats p = r * 0.0135341684F + 0.0520114595F;
    p = p * r + 0.241442758F;
    p = p * r + 0.693003834F;
    p = p * r + 1.00000259F;
    return (Floats)_mm512_scalef_ps((__m512)p, (__m512)x);
  }

  /// Stands where others write or read the memory of tiles, of which the compiler does not know (gcc 12).
  static void memory_is_read() { __asm__ volatile("" ::: "memory"); }

  /// Tiles 0 to 3 are the sums of two tiles of rows by two of columns, 4 and 5 of a, 6 and 7 of b.
  template <int rows, int columns>
  static void block(Int depth, const float* a, Int a_stride, const float* b, Int b_stride, float* c, Int c_stride,
                    bool add) {
    const Int a_bytes = 4 * a_stride, b_bytes = 4 * b_stride, c_bytes = 4 * c_stride;
    if (add) {
      _tile_loadd(0, c, c_bytes);
      if constexpr (columns == 2) _tile_loadd(1, c + 16, c_bytes);
      if constexpr (rows == 2) _tile_loadd(2, c + 16 * c_stride, c_bytes);
      if constexpr (rows == 2 && columns == 2) _tile_loadd(3, c + 16 * c_stride + 16, c_bytes);
    } else {
      _tile_zero(0);
      if constexpr (columns == 2) _tile_zero(1);
      if constexpr (rows == 2) _tile_zero(2);
      if constexpr (rows == 2 && columns == 2) _tile_zero(3);
    }
    for (Int k = 0; k < depth; k += 16, a += 16, b += 16 * b_stride) {
      _tile_loadd(4, a, a_bytes);
      _tile_loadd(6, b, b_bytes);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (columns == 2) {
        _tile_loadd(7, b + 16, b_bytes);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (rows == 2) {
        _tile_loadd(5, a + 16 * a_stride, a_bytes);
        _tile_dpbf16ps(2, 5, 6);
      }
      if constexpr (rows == 2 && columns == 2) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if constexpr (columns == 2) _tile_stored(1, c + 16, c_bytes);
    if constexpr (rows == 2) _tile_stored(2, c + 16 * c_stride, c_bytes);
    if constexpr (rows == 2 && columns == 2) _tile_stored(3, c + 16 * c_stride + 16, c_bytes);
  }

  template <int rows>
  static void strip(Int columns, Int depth, const float* a, Int a_stride, const float* b, Int b_stride, float* c,
                    Int c_stride, bool add) {
    Int j = 0;
    for (; j + 32 <= columns; j += 32) block<rows, 2>(depth, a, a_stride, b + j, b_stride, c + j, c_stride, add);
    if (j < columns) block<rows, 1>(depth, a, a_stride, b + j, b_stride, c + j, c_stride, add);
  }

  static void multiply(Int rows, Int columns, Int depth, const float* a, Int a_stride, const float* b, Int b_stride,
                       float* c, Int c_stride, bool add) {
    memory_is_read();
    Int i = 0;
    for (; i + 32 <= rows; i += 32)
      strip<2>(columns, depth, a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride, add);
    if (i < rows) strip<1>(columns, depth, a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride, add);
    memory_is_read();
  }
};

using Attention = LanesAttention<TileFactors<Amx>>;

/// The thread's tiles have their shapes while it lives.
struct Tiles {
  Tiles() {
    static constexpr TileShapes shapes;
    _tile_loadconfig(&shapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

void forward(const HeadShape& shape, const HeadInput<Bf16Bits>& input, const HeadRows<Bf16Bits>& output,
             float* log_sums, float* room) {
  const Tiles tiles;
  Attention::forward(shape, input, output, log_sums, room);
}
void backward(const HeadShape& shape, const HeadForBackward<Bf16Bits>& given, const HeadGradients<Bf16Bits>& gradients,
              float* room) {
  const Tiles tiles;
  Attention::backward(shape, given, gradients, room);
}

}  // namespace

constinit const HeadAttention<Bf16Bits> avx512_bf16_attention = LanesAttention<PairFactors<Avx512Bf16>>::functions();
constinit const HeadAttention<Bf16Bits> amx_attention = {Attention::forward_room, Attention::backward_room, forward,
                                                         backward};

}  // namespace masksc
#endif
