// The factors of attention's products (head_attention_lanes.hpp), as HeadLanes::product takes them: fp32 numbers, or
// pairs of bf16 ones that follow each other along the product's depth.
#pragma once

#include "head_attention.hpp"
#include "head_lanes.hpp"

namespace masksc {

// Rows as they are and as columns, of four bytes: numbers of fp32, pairs of bf16 (HeadLanes::copy, turn).
template <class Lanes, class Element>
void copy_rows(const HeadRows<const Element>& from, std::int64_t count, std::int64_t dim, float* to) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(Element));
  Lanes::copy(reinterpret_cast<const char*>(from.data), from.stride * size, count, dim * size, to);
}
/// As the right factor of a product, to [depth(dim), whole vectors of count].
template <class Lanes, class Element>
void turn_rows(const HeadRows<const Element>& from, std::int64_t count, std::int64_t dim, float* to) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(Element));
  Lanes::turn(reinterpret_cast<const char*>(from.data), from.stride * size, count, dim * size, to);
}

template <class Processor>
struct FloatFactors {
  using Lanes = HeadLanes<Processor>;
  using Int = typename Lanes::Int;
  using Floats = typename Lanes::Floats;
  using Left = typename Lanes::Left;
  using Element = float;
  using Rows = HeadRows<const Element>;
  static constexpr int lanes = Lanes::lanes;

  /// Of a product that sums over n numbers.
  static Int depth(Int n) { return n; }

  // Left factors. `room`: as many floats as `left_room` says of their rows and columns, for what has to be written
  // elsewhere.
  static Int left_room(Int, Int) { return 0; }
  /// Rows of a matrix.
  static Left left(const Rows& rows, Int, Int, float*) { return {rows.data, rows.stride, 1}; }
  /// A table of numbers that Lanes has computed, rows `width` apart.
  static Left left(float* table, Int, Int width, float*) { return {table, width, 1}; }
  /// The same table with rows and columns swapped; comes last, as it may change the table.
  static Left turned_left(float* table, Int, Int width) { return {table, 1, width}; }

  /// Rows as the right factor, to [depth(count), whole vectors of dim], filled up with zeros.
  static void pack(const Rows& from, Int count, Int dim, float* to) { copy_rows<Lanes>(from, count, dim, to); }

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
/// `narrow(Floats)`, rounded to them. As FloatFactors.
template <class Processor>
struct PairFactors {
  using Lanes = HeadLanes<Processor>;
  using Int = typename Lanes::Int;
  using Floats = typename Lanes::Floats;
  using Ints = typename Lanes::Ints;
  using Left = typename Lanes::Left;
  using Halves = typename Processor::Halves;
  using Element = Bf16Bits;
  using Rows = HeadRows<const Element>;
  static constexpr int lanes = Lanes::lanes;

  static Int depth(Int n) { return (n + 1) / 2; }

  static Int left_room(Int rows, Int columns) { return rows * Lanes::whole_vectors(depth(columns)); }
  static Left left(const Rows& rows, Int count, Int dim, float* room) {
    copy_rows<Lanes>(rows, count, dim, room);
    return {room, Lanes::whole_vectors(depth(dim)), 1};
  }
  static Left left(const float* table, Int rows, Int width, float* room) {
    const Int step = depth(width);  // half a width, which is whole vectors
    for (Int row = 0; row < rows; ++row)
      for (Int column = 0; column < width; column += lanes)
        put(room + row * step + column / 2, Processor::narrow(Lanes::load(table + row * width + column)));
    return {room, step, 1};
  }
  static Left turned_left(float* table, Int rows, Int width) {
    for (Int row = 0; row < rows; row += 2)
      for (Int column = row * width; column < (row + 1) * width; column += lanes) {
        const Halves below = row + 1 < rows ? Processor::narrow(Lanes::load(table + column + width)) : Halves{};
        Lanes::store(table + column, paired(Processor::narrow(Lanes::load(table + column)), below));
      }
    return {table, 1, 2 * width};
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

 private:
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
