// HeadAttention in the vectors of a processor, as gcc and clang have them.
#pragma once

#include "head_attention.hpp"

namespace masksc {

/// Processor: `Floats`, a vector of floats, and `block_rows`: as many times two vectors of sums stay in registers while
/// a product runs.
template <class Processor>
class LanesAttention {
  using Int = std::int64_t;
  using Floats = typename Processor::Floats;
  using Ints = decltype(Floats{} > Floats{});  // as many integers
  static constexpr int block_rows = Processor::block_rows;
  static constexpr int lanes = sizeof(Floats) / sizeof(float);

  static constexpr Int tile_rows = 72;  // queries at a time
  static_assert(tile_rows % block_rows == 0);
  static constexpr float log2_e = 1.44269504F;

  static Int whole_vectors(Int n) { return (n + lanes - 1) / lanes * lanes; }
  static Int smaller(Int a, Int b) { return a < b ? a : b; }

  static Floats load(const float* from) {
    Floats x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(float* to, const Floats& x) { __builtin_memcpy(to, &x, sizeof x); }

  static float sum_of(const Floats& x) {
    float sums[lanes];
    store(sums, x);
    for (int half = lanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
  }
  static float largest_of(const Floats& x) {
    float largest[lanes];
    store(largest, x);
    for (int half = lanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) largest[i] = largest[i] > largest[i + half] ? largest[i] : largest[i + half];
    return largest[0];
  }

  /// 2^x for x <= 0, but 0 below x = -126.5; NaN of NaN. 2^n by the exponent's bits, 2^r for |r| <= 1/2 by the
  /// polynomial of degree 5 with the least relative error (2.2e-7, found by Remez' exchange).
  static Floats power_of_two(const Floats& x) {
    const float rounding = 12582912.0F + 127;  // 1.5 * 2^23: the sum's last bits are those of n + 127, the exponent's
    const Floats shifted = x + rounding;
    const Floats r = x - (shifted - rounding);
    const Ints bits = (Ints)shifted;
    const Ints least = Ints{} + 0x4b400000;  // the bits of 12582912
    Floats p = r * 0.00133826700F + 0.00967294443F;
    p = p * r + 0.0555009767F;
    p = p * r + 0.240221545F;
    p = p * r + 0.693147600F;
    p = p * r + 1.00000012F;
    return p * (Floats)((bits > least ? bits : least) << 23);
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
        for (int j = 0; j < vectors; ++j) sums[i][j] += x[i * a.row_step] * y[j];
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

  /// to [count, whole_vectors(dim)], filled up with zeros.
  static void pack(const ReadRows& from, Int count, Int dim, float* to) {
    const Int width = whole_vectors(dim);
    const Int whole = dim / lanes * lanes;
    for (Int row = 0; row < count; ++row, to += width) {
      const float* const x = from.data + row * from.stride;
      for (Int column = 0; column < whole; column += lanes) store(to + column, load(x + column));
      for (Int column = whole; column < width; ++column) to[column] = column < dim ? x[column] : 0;
    }
  }
  /// to [dim, whole_vectors(count)], filled up with zeros.
  static void pack_transposed(const ReadRows& from, Int count, Int dim, float* to) {
    const Int width = whole_vectors(count);
    for (Int first = 0; first < width; first += lanes)
      for (Int column = 0; column < dim; ++column)
        for (Int row = first; row < first + lanes; ++row)
          to[column * width + row] = row < count ? from.data[row * from.stride + column] : 0;
  }
  /// The columns of a packed matrix, row by row times a factor.
  static void unpack(const float* from, Int count, Int dim, const WrittenRows& to, const float* factors = nullptr) {
    const Int width = whole_vectors(dim);
    const Int whole = dim / lanes * lanes;
    for (Int row = 0; row < count; ++row, from += width) {
      float* const y = to.data + row * to.stride;
      const float factor = factors == nullptr ? 1 : factors[row];
      for (Int column = 0; column < whole; column += lanes) store(y + column, factor * load(from + column));
      for (Int column = whole; column < dim; ++column) y[column] = factor * from[column];
    }
  }

  static float dot(const float* x, const float* y, Int count) {
    const Int whole = count / lanes * lanes;
    Floats sums{};
    for (Int i = 0; i < whole; i += lanes) sums += load(x + i) * load(y + i);
    float sum = sum_of(sums);
    for (Int i = whole; i < count; ++i) sum += x[i] * y[i];
    return sum;
  }

  /// scores [width] of `tokens` tokens become 2^(scale * score - greatest); returns greatest, and the sum.
  static float weigh(float* scores, Int tokens, Int width, float scale, float& sum) {
    for (Int token = tokens; token < width; ++token) scores[token] = -1e30F;
    Floats largest = load(scores);
    for (Int token = lanes; token < width; token += lanes) {
      const Floats x = load(scores + token);
      largest = x > largest ? x : largest;
    }
    const float greatest = largest_of(largest) * scale;
    Floats sums{};
    for (Int token = 0; token < width; token += lanes) {
      const Floats weights = power_of_two(load(scores + token) * scale - greatest);
      store(scores + token, weights);
      sums += weights;
    }
    sum = sum_of(sums);
    return greatest;
  }

 public:
  static Int forward_room(const HeadShape& shape) {
    const Int width = whole_vectors(shape.dim);
    return (shape.dim + tile_rows) * whole_vectors(shape.tokens) + (shape.tokens + tile_rows) * width;
  }

  static void forward(const HeadShape& shape, const ReadRows& queries, const ReadRows& keys, const ReadRows& values,
                      const WrittenRows& output, float* log_sums, float* room) {
    const Int width = whole_vectors(shape.dim);
    const Int tokens = whole_vectors(shape.tokens);
    float* const turned_keys = room;
    float* const packed_values = turned_keys + shape.dim * tokens;
    float* const scores = packed_values + shape.tokens * width;
    float* const sums = scores + tile_rows * tokens;
    pack_transposed(keys, shape.tokens, shape.dim, turned_keys);
    pack(values, shape.tokens, shape.dim, packed_values);
    for (Int first = 0; first < shape.queries; first += tile_rows) {
      const Int rows = smaller(tile_rows, shape.queries - first);
      const Left asking{queries.data + first * queries.stride, queries.stride, 1};
      product(rows, tokens, shape.dim, asking, turned_keys, tokens, {scores, tokens}, false);
      float inverse[tile_rows];
      for (Int row = 0; row < rows; ++row) {
        float sum = 0;
        const float greatest = weigh(scores + row * tokens, shape.tokens, tokens, shape.scale * log2_e, sum);
        inverse[row] = 1 / sum;
        log_sums[first + row] = greatest + __builtin_log2f(sum);
      }
      product(rows, width, shape.tokens, {scores, tokens, 1}, packed_values, width, {sums, width}, false);
      unpack(sums, rows, shape.dim, {output.data + first * output.stride, output.stride}, inverse);
    }
  }

  static Int backward_room(const HeadShape& shape) {
    const Int width = whole_vectors(shape.dim);
    return 2 * (shape.dim + tile_rows) * whole_vectors(shape.tokens) + 3 * (shape.tokens + tile_rows) * width;
  }

  /// With weights P and the gradient G of the output: the scores' gradient is P * (G V^T - sum of a row of G * output).
  static void backward(const HeadShape& shape, const HeadForBackward& given, const HeadGradients& gradients,
                       float* room) {
    const Int width = whole_vectors(shape.dim);
    const Int tokens = whole_vectors(shape.tokens);
    float* const turned_keys = room;
    float* const turned_values = turned_keys + shape.dim * tokens;
    float* const packed_keys = turned_values + shape.dim * tokens;
    float* const key_sums = packed_keys + shape.tokens * width;
    float* const value_sums = key_sums + shape.tokens * width;
    float* const asking = value_sums + shape.tokens * width;
    float* const gradient = asking + tile_rows * width;
    float* const query_sums = gradient + tile_rows * width;
    float* const weights = query_sums + tile_rows * width;
    float* const slopes = weights + tile_rows * tokens;
    pack_transposed(given.keys, shape.tokens, shape.dim, turned_keys);
    pack_transposed(given.values, shape.tokens, shape.dim, turned_values);
    pack(given.keys, shape.tokens, shape.dim, packed_keys);
    const auto from = [](const ReadRows& rows, Int first) {
      return ReadRows{rows.data + first * rows.stride, rows.stride};
    };
    for (Int first = 0; first < shape.queries; first += tile_rows) {
      const Int rows = smaller(tile_rows, shape.queries - first);
      pack(from(given.queries, first), rows, shape.dim, asking);
      pack(from(given.gradient, first), rows, shape.dim, gradient);
      product(rows, tokens, shape.dim, {asking, width, 1}, turned_keys, tokens, {weights, tokens}, false);
      product(rows, tokens, shape.dim, {gradient, width, 1}, turned_values, tokens, {slopes, tokens}, false);
      for (Int row = 0; row < rows; ++row) {
        const float common =
            dot(gradient + row * width, given.output.data + (first + row) * given.output.stride, shape.dim);
        for (Int token = row * tokens; token < (row + 1) * tokens; token += lanes) {
          const Floats score = load(weights + token) * (shape.scale * log2_e);
          const Floats weight = power_of_two(score - given.log_sums[first + row]);
          store(weights + token, weight);
          store(slopes + token, weight * (load(slopes + token) - common) * shape.scale);
        }
      }
      product(rows, width, shape.tokens, {slopes, tokens, 1}, packed_keys, width, {query_sums, width}, false);
      unpack(query_sums, rows, shape.dim,
             {gradients.queries.data + first * gradients.queries.stride, gradients.queries.stride});
      product(shape.tokens, width, rows, {weights, 1, tokens}, gradient, width, {value_sums, width}, first > 0);
      product(shape.tokens, width, rows, {slopes, 1, tokens}, asking, width, {key_sums, width}, first > 0);
    }
    unpack(key_sums, shape.tokens, shape.dim, gradients.keys);
    unpack(value_sums, shape.tokens, shape.dim, gradients.values);
  }

  static constexpr HeadAttention functions() { return {forward_room, backward_room, forward, backward}; }
};

}  // namespace masksc
