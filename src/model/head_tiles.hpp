// The factors of attention's products in bf16 (head_factors.hpp) for processors that multiply tiles of matrices: 16
// rows of 16 pairs times 16 rows, one for each pair of the depth, of 16 pairs.
#pragma once

#include "head_factors.hpp"

namespace masksc {

/// As PairFactors, with all depths filled up with zeros to whole tiles. The processor has `multiply(rows, columns,
/// depth, a, a_stride, b, b_stride, c, c_stride, add)` for whole tiles, strides in floats.
template <class Processor>
struct TileFactors : PairFactors<Processor> {
  using Base = PairFactors<Processor>;
  using typename Base::Element, typename Base::Int, typename Base::Lanes, typename Base::Left, typename Base::Rows;
  using Floats = typename Lanes::Floats;
  static constexpr Int side = 16;  // of a tile
  static_assert(Lanes::lanes == side);
  static constexpr Int queries_at_a_time = 32;
  static_assert(queries_at_a_time % (2 * side) == 0);  // whole tiles of their pairs

  static Int whole_tiles(Int n) { return (n + side - 1) / side * side; }
  static Int depth(Int n) { return whole_tiles(Base::depth(n)); }

  /// Rows up to a whole tile are computed of whatever lies there, and never read.
  static void product(Int rows, Int width, Int depth, const Left& a, const float* b, Int b_stride,
                      const typename Lanes::Table& c, bool add) {
    Processor::multiply(whole_tiles(rows), width, depth, a.data, a.row_step, b, b_stride, c.data, c.stride, add);
  }

  static Int left_room(Int rows, Int columns) { return rows * depth(columns); }
  static float* left_row(float*, float* room, Int row, Int width) { return room + row * depth(width); }
  static Left left_of_table(float*, float* room, Int rows, Int width) {
    const Int step = depth(width);
    if (width / 2 < step)
      for (Int row = 0; row < rows; ++row) Base::put(room + row * step + width / 2, typename Base::Halves{});
    return {room, step, 1};
  }

  static void turn(const Rows& from, Int count, Int dim, float* to) {
    Base::turn(from, count, dim, to);
    fill(to, Base::depth(dim), depth(dim), Lanes::whole_vectors(count));
  }
  static void pack(const Rows& from, Int count, Int dim, float* to) {
    Base::pack(from, count, dim, to);
    fill(to, Base::depth(count), depth(count), Lanes::whole_vectors(dim));
  }

  // Over queries: the rows turned times the table, which is the right factor as it lies, so that the sums are turned.
  // (Of the room the first half is the answer, the second the pairs before they are turned.)
  static Int across_room(Int rows, Int dim) { return 2 * depth(rows) * Lanes::whole_vectors(dim); }
  static void pack_across(const Rows& from, Int count, Int dim, float* to) {
    const Int width = Lanes::whole_vectors(dim);
    float* const pairs = to + width * depth(queries_at_a_time);
    pack(from, count, dim, pairs);
    turn_floats(pairs, width, depth(count), width, to);
  }
  static Int across_sums_room(Int tokens, Int dim) {
    return Lanes::whole_vectors(dim) * (Lanes::whole_vectors(tokens) + side);
  }
  static void add_across(float* table, Int rows, Int tokens, const float* packed, Int dim, float* sums, bool add) {
    const Int width = Lanes::whole_vectors(tokens);
    fill(table, Base::depth(rows), depth(rows), width, 2 * width);
    Processor::multiply(Lanes::whole_vectors(dim), width, depth(rows), packed, depth(rows), table, 2 * width, sums,
                        width, add);
  }
  static void unpack_across(float* sums, Int tokens, Int dim, const HeadRows<Element>& to) {
    const Int width = Lanes::whole_vectors(dim);
    const Int stride = Lanes::whole_vectors(tokens);
    float* const strip = sums + width * stride;
    for (Int first = 0; first < tokens; first += side) {
      turn_floats(sums + first, stride, width, side, strip);
      Base::unpack(strip, Lanes::smaller(side, tokens - first), dim, to.from(first), nullptr);
    }
  }

 private:
  /// Zeros in these rows of `width` floats.
  static void fill(float* to, Int begin, Int end, Int width, Int stride) {
    for (Int row = begin; row < end; ++row)
      for (Int column = 0; column < width; column += side) Lanes::store(to + row * stride + column, Floats{});
  }
  static void fill(float* to, Int begin, Int end, Int width) { fill(to, begin, end, width, width); }
  /// [count, columns] -> [columns, count], both whole vectors.
  static void turn_floats(const float* from, Int stride, Int count, Int columns, float* to) {
    Lanes::turn(reinterpret_cast<const char*>(from), 4 * stride, count, 4 * columns, to);
  }
};

}  // namespace masksc
