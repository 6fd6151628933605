// The factors of attention's products (head_attention_lanes.hpp), as HeadLanes::product takes them: fp32 numbers, or
// pairs of bf16 ones that follow each other along the product's depth.
#pragma once

#include "head_attention.hpp"
#include "head_lanes.hpp"

namespace masksc {

/// What FloatFactors and PairFactors share: products in vectors.
template <class Factors, class Processor, class Number>
struct LanesFactors {
  using Lanes = HeadLanes<Processor>;
  using Int = typename Lanes::Int;
  using Left = typename Lanes::Left;
  using Element = Number;
  using Rows = HeadRows<const Element>;

  /// Whose scores are in the caches together.
  static constexpr Int queries_at_a_time = 72;
  static_assert(queries_at_a_time % Lanes::block_rows == 0 && queries_at_a_time % 2 == 0);

  /// c [rows, width] = or += a [rows, depth] b [depth, width].
  static void product(Int rows, Int width, Int depth, const Left& a, const float* b, Int b_stride,
                      const typename Lanes::Table& c, bool add) {
    Lanes::product(rows, width, depth, a, b, b_stride, c, add);
  }

  // Rows as they are and as columns, of four bytes: numbers of fp32, pairs of bf16 (HeadLanes::copy, turn).
  static void copy(const Rows& from, Int count, Int dim, float* to) {
    Lanes::copy(reinterpret_cast<const char*>(from.data), from.stride * size, count, dim * size, to);
  }
  /// As the right factor of a product, to [depth(dim), whole vectors of count].
  static void turn(const Rows& from, Int count, Int dim, float* to) {
    Lanes::turn(reinterpret_cast<const char*>(from.data), from.stride * size, count, dim * size, to);
  }

  // Products over queries: a table of numbers [rows of queries, whole vectors of tokens] with rows and columns swapped,
  // times rows. Of the table Factors::put_across has put the numbers: one row, or two as pairs in place of the first.
  static Int across_room(Int rows, Int dim) { return Factors::depth(rows) * Lanes::whole_vectors(dim); }
  static void pack_across(const Rows& from, Int count, Int dim, float* to) { Factors::pack(from, count, dim, to); }
  static Int across_sums_room(Int tokens, Int dim) { return tokens * Lanes::whole_vectors(dim); }
  static void add_across(float* table, Int rows, Int tokens, const float* packed, Int dim, float* sums, bool add) {
    const Int width = Lanes::whole_vectors(dim);
    product(tokens, width, Factors::depth(rows), {table, 1, Factors::rows_together * Lanes::whole_vectors(tokens)},
            packed, width, {sums, width}, add);
  }
  static void unpack_across(const float* sums, Int tokens, Int dim, const HeadRows<Element>& to) {
    Factors::unpack(sums, tokens, dim, to, nullptr);
  }

 private:
  static constexpr auto size = static_cast<Int>(sizeof(Element));
};

template <class Processor>
struct FloatFactors : LanesFactors<FloatFactors<Processor>, Processor, float> {
  using Base = LanesFactors<FloatFactors, Processor, float>;
  using typename Base::Element, typename Base::Int, typename Base::Lanes, typename Base::Left, typename Base::Rows;
  using Floats = typename Lanes::Floats;
  static constexpr int lanes = Lanes::lanes;

  /// Of a product that sums over n numbers.
  static Int depth(Int n) { return n; }

  // Left factors. `room`: as many floats as `left_room` says of their rows and columns, for what has to be written
  // elsewhere.
  static Int left_room(Int, Int) { return 0; }
  /// Rows of a matrix.
  static Left left_of_rows(const Rows& rows, Int, Int, float*) { return {rows.data, rows.stride, 1}; }
  // A table of numbers, rows `width` apart: all are put, one vector after the other, and then the factor is taken.
  static float* left_row(float* table, float*, Int row, Int width) { return table + row * width; }
  static void put_left(float* row, Int column, const Floats& x) { Lanes::store(row + column, x); }
  static Left left_of_table(float* table, float*, Int, Int width) { return {table, width, 1}; }

  static constexpr Int rows_together = 1;
  static void put_across(float* to, const Floats (&x)[rows_together]) { Lanes::store(to, x[0]); }

  /// Rows as the right factor, to [depth(count), whole vectors of dim], filled up with zeros.
  static void pack(const Rows& from, Int count, Int dim, float* to) { Base::copy(from, count, dim, to); }

  /// The rows of a product, each times its factor (null: 1).
  static void unpack(const float* from, Int count, Int dim, const HeadRows<Element>& to, const float* factors) {
    const Int width = Lanes::whole_vectors(dim);
    const Int whole = dim / lanes * lanes;
    for (Int row = 0; row < count; ++row, from += width) {
      float* const y = to.data + row * to.stride;
      const float factor = factors == nullptr ? 1 : factors[row];
      for (Int column = 0; column < whole; column += lanes)
        Lanes::store(y + column, factor * Lanes::load(from + column));
      for (Int column = whole; column < dim; ++column) y[column] = factor * from[column];
    }
  }

  static float dot(const Element* x, const Element* y, Int count) {
    const Int whole = count / lanes * lanes;
    Floats sums{};
    for (Int i = 0; i < whole; i += lanes) sums += Lanes::load(x + i) * Lanes::load(y + i);
    float sum = Lanes::sum_of(sums);
    for (Int i = whole; i < count; ++i) sum += x[i] * y[i];
    return sum;
  }
};

/// The processor's add_product multiplies pairs, and it has `Halves`, as many bf16 numbers as Floats, and
/// `narrow(Floats)`, rounded to them, and `narrow_paired(Floats, Floats)`, a number of each beside each other. As
/// FloatFactors.
template <class Processor>
struct PairFactors : LanesFactors<PairFactors<Processor>, Processor, Bf16Bits> {
  using Base = LanesFactors<PairFactors, Processor, Bf16Bits>;
  using typename Base::Element, typename Base::Int, typename Base::Lanes, typename Base::Left, typename Base::Rows;
  using Floats = typename Lanes::Floats;
  using Ints = typename Lanes::Ints;
  using Halves = typename Processor::Halves;
  static constexpr int lanes = Lanes::lanes;

  static Int depth(Int n) { return (n + 1) / 2; }

  static Int left_room(Int rows, Int columns) { return rows * Lanes::whole_vectors(depth(columns)); }
  static Left left_of_rows(const Rows& rows, Int count, Int dim, float* room) {
    Base::copy(rows, count, dim, room);
    return {room, Lanes::whole_vectors(depth(dim)), 1};
  }
  // Half a width is whole vectors.
  static float* left_row(float*, float* room, Int row, Int width) { return room + row * depth(width); }
  static void put_left(float* row, Int column, const Floats& x) { put(row + column / 2, Processor::narrow(x)); }
  static Left left_of_table(float*, float* room, Int, Int width) { return {room, depth(width), 1}; }

  static constexpr Int rows_together = 2;
  static void put_across(float* to, const Floats (&x)[rows_together]) {
    Lanes::store(to, Processor::narrow_paired(x[0], x[1]));
  }

  static void pack(const Rows& from, Int count, Int dim, float* to) {
    const Int width = Lanes::whole_vectors(dim);
    for (Int row = 0; row < count; row += 2, to += width) {
      const Element* const x = from.data + row * from.stride;
      for (Int column = 0; column < width; column += lanes) {
        const Halves below = row + 1 < count ? get(x + from.stride + column, dim - column) : Halves{};
        Lanes::store(to + column, paired(get(x + column, dim - column), below));
      }
    }
  }

  static void unpack(const float* from, Int count, Int dim, const HeadRows<Element>& to, const float* factors) {
    const Int width = Lanes::whole_vectors(dim);
    for (Int row = 0; row < count; ++row)
      for (Int column = 0; column < dim; column += lanes) {
        const Floats x = Lanes::load(from + row * width + column) * (factors == nullptr ? 1 : factors[row]);
        put(to.data + row * to.stride + column, Processor::narrow(x), dim - column);
      }
  }

  static float dot(const Element* x, const Element* y, Int count) {
    Floats sums{};
    for (Int i = 0; i < count; i += lanes) sums += widened(get(x + i, count - i)) * widened(get(y + i, count - i));
    return Lanes::sum_of(sums);
  }

 protected:
  /// The next `count` numbers, and zeros where these are fewer than a vector holds.
  static Halves get(const Element* from, Int count) { return Lanes::template load_part<Halves>(from, 2 * count); }
  static void put(void* to, const Halves& x, Int count = lanes) {
    if (count >= lanes)
      __builtin_memcpy(to, &x, sizeof x);
    else
      __builtin_memcpy(to, &x, static_cast<std::size_t>(count) * sizeof(Element));
  }
  static Floats widened(const Halves& x) { return (Floats)(__builtin_convertvector(x, Ints) << 16); }
  /// Four bytes each: one of the first, then one of the second.
  static Floats paired(const Halves& first, const Halves& second) {
    return (Floats)(__builtin_convertvector(first, Ints) | __builtin_convertvector(second, Ints) << 16);
  }
};

}  // namespace masksc
