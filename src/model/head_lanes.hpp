// The arithmetic of a head's attention (head_attention.hpp) in the vectors of a processor, as gcc and clang have them:
// products of small matrices, and the weights of softmax. Compiled for one processor at a time: nothing of the standard
// library but types (head_attention.hpp).
#pragma once

#include <cstdint>
#include <utility>

namespace masksc {

/// Processor: `Floats`, a vector of floats; `block_rows`: as many times two vectors of sums stay in registers while a
/// product runs; and `add_product(sums, x, y)`: sums + x y, where x and the elements of y are what a factor's four
/// bytes hold.
template <class Processor>
struct HeadLanes {
  using Int = std::int64_t;
  using Floats = typename Processor::Floats;
  using Ints = decltype(Floats{} > Floats{});  // as many integers
  static constexpr int block_rows = Processor::block_rows;
  static constexpr int lanes = sizeof(Floats) / sizeof(float);
  static_assert(lanes == 8 || lanes == 16);

  static Int whole_vectors(Int n) { return (n + lanes - 1) / lanes * lanes; }
  static Int smaller(Int a, Int b) { return a < b ? a : b; }

  using all_lanes = std::make_integer_sequence<int, lanes>;
  /// Element i at place i ^ by.
  template <int by, int... i>
  static Floats exchanged(const Floats& x, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(x, x, (i ^ by)...);
  }

  static Floats load(const float* from) {
    Floats x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(float* to, const Floats& x) { __builtin_memcpy(to, &x, sizeof x); }

  /// The next vector of a row that has `bytes` left, and zeros behind its end.
  template <class Vector = Floats>
  static Vector load_part(const void* from, Int bytes) {
    constexpr Int whole = sizeof(Vector);
    Vector x{};
    if (bytes >= whole)
      __builtin_memcpy(&x, from, whole);
    else if (bytes == whole / 2)  // heads of 16 in bf16
      __builtin_memcpy(&x, from, whole / 2);
    else if (bytes > 0)
      __builtin_memcpy(&x, from, static_cast<std::size_t>(bytes));
    return x;
  }

  /// Rows of four-byte elements, `stride` bytes apart and `bytes` long, beside each other in `to` [count, whole vectors
  /// of a row], filled up with zeros.
  static void copy(const char* from, Int stride, Int count, Int bytes, float* to) {
    const Int width = whole_vectors((bytes + 3) / 4);
    for (Int row = 0; row < count; ++row, from += stride, to += width)
      for (Int column = 0; column < width; column += lanes)
        store(to + column, load_part(from + 4 * column, bytes - 4 * column));
  }

  /// Element (i, j) of a square of vectors goes to (j, i), after the steps by 1, 2, ...: each swaps the two
  /// off-diagonal ones of four squares.
  template <int by, int... j>
  [[gnu::always_inline]] static void turn_squares(Floats (&square)[lanes], std::integer_sequence<int, j...> all) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
      if ((i & by) == 0) {
        const Floats x = square[i];
        const Floats y = square[i + by];
        square[i] = __builtin_shufflevector(x, y, ((j & by) == 0 ? j : lanes + (j ^ by))...);
        square[i + by] = __builtin_shufflevector(x, y, ((j & by) == 0 ? j ^ by : lanes + j)...);
      }
    if constexpr (2 * by < lanes) turn_squares<2 * by>(square, all);
  }

  /// Such rows become columns of `to` [elements of a row, whole vectors of `count`], filled up with zeros.
  static void turn(const char* from, Int stride, Int count, Int bytes, float* to) {
    const Int width = whole_vectors(count);
    const Int elements = (bytes + 3) / 4;
    for (Int first = 0; first < width; first += lanes)
      for (Int column = 0; column < elements; column += lanes) {
        Floats square[lanes];
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          square[i] =
              first + i < count ? load_part(from + (first + i) * stride + 4 * column, bytes - 4 * column) : Floats{};
        turn_squares<1>(square, all_lanes{});
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          if (column + i < elements) store(to + (column + i) * width + first, square[i]);
      }
  }

  static Floats larger(const Floats& x, const Floats& y) { return x > y ? x : y; }

  // A vector's elements, combined half by half.
  static float sum_of(const Floats& all) {
    Floats x = all;
    if constexpr (lanes == 16) x += exchanged<8>(x, all_lanes{});
    x += exchanged<4>(x, all_lanes{});
    x += exchanged<2>(x, all_lanes{});
    return x[0] + x[1];
  }
  static float largest_of(const Floats& all) {
    Floats x = all;
    if constexpr (lanes == 16) x = larger(exchanged<8>(x, all_lanes{}), x);
    x = larger(exchanged<4>(x, all_lanes{}), x);
    x = larger(exchanged<2>(x, all_lanes{}), x);
    return larger(exchanged<1>(x, all_lanes{}), x)[0];
  }

  /// 2^x for x <= 0, but 0 below x = -126.5; NaN of NaN. The processor's own where it has one. 2^n by the exponent's
  /// bits, 2^r for |r| <= 1/2 by the polynomial of degree 5 with the least relative error (2.2e-7, found by Remez'
  /// exchange).
  static Floats power_of_two(const Floats& power) {
    if constexpr (requires { Processor::power_of_two(power); }) return Processor::power_of_two(power);
    const Floats least = Floats{} - 127;
    const Floats x = power < least ? least : power;
    const float rounding = 12582912.0F + 127;  // 1.5 * 2^23: the sum's last bits are those of n + 127, the exponent's
    const Floats shifted = x + rounding;
    const Floats r = x - (shifted - rounding);
    Floats p = r * 0.00133826700F + 0.00967294443F;
    p = p * r + 0.0555009767F;
    p = p * r + 0.240221545F;
    p = p * r + 0.693147600F;
    p = p * r + 1.00000012F;
    return p * (Floats)((Ints)shifted << 23);
  }

  /// A factor of a product: element (row, k).
  struct Left {
    const float* data;
    Int row_step, k_step;
  };
  struct Table {
    float* data;
    Int stride;
  };

  /// c [rows, vectors * lanes] = or += a [rows, depth] b [depth, vectors * lanes].
  template <int rows, int vectors>
  [[gnu::always_inline]] static void block(Int depth, const Left& a, const float* b, Int b_stride, const Table& c,
                                           bool add) {
    Floats sums[rows][vectors];
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 32
      for (int j = 0; j < vectors; ++j) sums[i][j] = Floats{};
    const float* x = a.data;
    for (Int k = 0; k < depth; ++k, x += a.k_step, b += b_stride) {
      Floats y[vectors];
#pragma GCC unroll 32
      for (int j = 0; j < vectors; ++j) y[j] = load(b + j * lanes);
#pragma GCC unroll 32
      for (int i = 0; i < rows; ++i)
#pragma GCC unroll 32
        for (int j = 0; j < vectors; ++j) sums[i][j] = Processor::add_product(sums[i][j], x[i * a.row_step], y[j]);
    }
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 32
      for (int j = 0; j < vectors; ++j) {
        float* const to = c.data + i * c.stride + j * lanes;
        store(to, add ? load(to) + sums[i][j] : sums[i][j]);
      }
  }

  /// The last rows, fewer than `rows` + 1.
  template <int rows, int vectors>
  static void last_block(Int count, Int depth, const Left& a, const float* b, Int b_stride, const Table& c, bool add) {
    if (count == rows)
      block<rows, vectors>(depth, a, b, b_stride, c, add);
    else if constexpr (rows > 1)
      last_block<rows - 1, vectors>(count, depth, a, b, b_stride, c, add);
  }

  template <int vectors>
  static void columns(Int rows, Int depth, Left a, const float* b, Int b_stride, Table c, bool add) {
    constexpr int whole = block_rows * 2 / vectors;
    for (; rows >= whole; rows -= whole) {
      block<whole, vectors>(depth, a, b, b_stride, c, add);
      a.data += whole * a.row_step;
      c.data += whole * c.stride;
    }
    last_block<whole - 1, vectors>(rows, depth, a, b, b_stride, c, add);
  }

  /// c [rows, width] = or += a [rows, depth] b [depth, width]; c and b have whole vectors.
  static void product(Int rows, Int width, Int depth, const Left& a, const float* b, Int b_stride, const Table& c,
                      bool add) {
    Int j = 0;
    for (; j + 2 * lanes <= width; j += 2 * lanes)
      columns<2>(rows, depth, a, b + j, b_stride, {c.data + j, c.stride}, add);
    if (j < width) columns<1>(rows, depth, a, b + j, b_stride, {c.data + j, c.stride}, add);
  }

  /// No weight for what fills up scores [width] of `tokens` tokens.
  static void hide_padding(float* scores, Int tokens, Int width) {
    for (Int token = tokens; token < width; ++token) scores[token] = -1e30F;
  }

  static float largest_in(const float* row, Int width) {
    Floats largest = load(row);
    for (Int i = lanes; i < width; i += lanes) largest = larger(load(row + i), largest);
    return largest_of(largest);
  }

  /// put(token, 2^(scale * (score - largest))) for each vector of scores [width]; returns the sum.
  template <class Put>
  [[gnu::always_inline]] static float weigh(const float* scores, Int width, float scale, float largest,
                                            const Put& put) {
    Floats sums{};
    for (Int token = 0; token < width; token += lanes) {
      const Floats weights = power_of_two((load(scores + token) - largest) * scale);
      put(token, weights);
      sums += weights;
    }
    return sum_of(sums);
  }
};

}  // namespace masksc
