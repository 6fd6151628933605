// RowKernels in the vectors of a processor.
#pragma once

#include "head_lanes.hpp"
#include "row_kernels.hpp"

namespace masksc {

/// Rows of fp32.
template <class Processor>
struct FloatRows {
  using Lanes = HeadLanes<Processor>;
  using Floats = typename Lanes::Floats;
  using Element = float;
  static Floats load(const float* from) { return Lanes::load(from); }
  static void store(float* to, const Floats& x) { Lanes::store(to, x); }
};

/// Rows of bf16; the processor has `Halves` and `narrow(Floats)`, as for PairFactors.
template <class Processor>
struct HalfRows {
  using Lanes = HeadLanes<Processor>;
  using Floats = typename Lanes::Floats;
  using Element = Bf16Bits;
  using Halves = typename Processor::Halves;
  static Floats load(const Bf16Bits* from) {
    Halves x;
    __builtin_memcpy(&x, from, sizeof x);
    return (Floats)(__builtin_convertvector(x, typename Lanes::Ints) << 16);
  }
  static void store(Bf16Bits* to, const Floats& x) {
    const Halves halves = Processor::narrow(x);
    __builtin_memcpy(to, &halves, sizeof halves);
  }
};

template <class Rows>
class LanesRows {
  using Lanes = typename Rows::Lanes;
  using Int = typename Lanes::Int;
  using Floats = typename Lanes::Floats;
  using Element = typename Rows::Element;
  static constexpr int lanes = Lanes::lanes;
  static_assert(row_lanes % lanes == 0);

  static void add(float* sums, const Floats& x) { Lanes::store(sums, Lanes::load(sums) + x); }

  /// Two sums over a row, of what term(column, one, other) adds; four of each run side by side, as one would wait for
  /// itself.
  struct Sums {
    float one, other;
  };
  template <class Term>
  [[gnu::always_inline]] static Sums sums_of(Int width, const Term& term) {
    constexpr int together = 4;
    Floats one[together] = {}, other[together] = {};
    Int i = 0;
    for (; i + together * lanes <= width; i += together * lanes)
#pragma GCC unroll 4
      for (int j = 0; j < together; ++j) term(i + j * lanes, one[j], other[j]);
    for (; i < width; i += lanes) term(i, one[0], other[0]);
    return {Lanes::sum_of(one[0] + one[1] + (one[2] + one[3])),
            Lanes::sum_of(other[0] + other[1] + (other[2] + other[3]))};
  }

  /// The standard normal distribution up to x, and its density there times sqrt(2 pi). By Abramowitz and Stegun 7.1.26.
  struct Normal {
    Floats below, density;
  };
  [[gnu::always_inline]] static Normal normal(const Floats& x) {
    constexpr float half_log2_e = 0.721347520F;
    constexpr float inverse_sqrt_2 = 0.707106781F;
    const Floats size = x > 0 ? x : -x;
    const Floats density = Lanes::power_of_two(x * x * -half_log2_e);
    const Floats t = 1 / (1 + size * (0.3275911F * inverse_sqrt_2));
    Floats p = t * (0.5F * 1.061405429F) + 0.5F * -1.453152027F;
    p = p * t + 0.5F * 1.421413741F;
    p = p * t + 0.5F * -0.284496736F;
    p = p * t + 0.5F * 0.254829592F;
    const Floats beyond = p * t * density;
    return {x > 0 ? 1 - beyond : beyond, density};
  }

  static void gelu(const RowsShape& shape, const GeluRows<Element>& in, Element* y) {
    const Element* x = in.x;
    for (Int row = 0; row < shape.rows; ++row, x += shape.width, y += shape.width)
      for (Int i = 0; i < shape.width; i += lanes) {
        const Floats at = Rows::load(x + i) + Rows::load(in.bias + i);
        Rows::store(y + i, at * normal(at).below);
      }
  }

  static void gelu_backward(const RowsShape& shape, const GeluRows<Element>& in, const Element* gradient,
                            Element* x_gradient, float* bias_sums) {
    constexpr float inverse_sqrt_2_pi = 0.398942280F;
    const Element* x = in.x;
    for (Int row = 0; row < shape.rows; ++row, x += shape.width, gradient += shape.width, x_gradient += shape.width)
      for (Int i = 0; i < shape.width; i += lanes) {
        const Floats at = Rows::load(x + i) + Rows::load(in.bias + i);
        const Normal there = normal(at);
        const Floats slope = there.below + at * there.density * inverse_sqrt_2_pi;
        const Floats found = Rows::load(gradient + i) * slope;
        Rows::store(x_gradient + i, found);
        add(bias_sums + i, found);
      }
  }

  static Floats summed(const SumRows<Element>& in, Int at, Int column) {
    return Rows::load(in.x + at + column) + (Rows::load(in.branch + at + column) + Rows::load(in.bias + column));
  }

  static void sum(const RowsShape& shape, const SumRows<Element>& in) {
    for (Int row = 0; row < shape.rows; ++row)
      for (Int i = 0; i < shape.width; i += lanes)
        Rows::store(in.sum + row * shape.width + i, summed(in, row * shape.width, i));
  }

  static void sum_and_norm(const RowsShape& shape, const SumRows<Element>& in, const NormRows<Element>& out) {
    const float share = 1 / static_cast<float>(shape.width);
    for (Int row = 0; row < shape.rows; ++row) {
      const Int at = row * shape.width;
      const Element* const x = (in.branch == nullptr ? in.x : in.sum) + at;
      const Sums values = sums_of(shape.width, [&](Int i, Floats& total, Floats&) {
        if (in.branch != nullptr) Rows::store(in.sum + at + i, summed(in, at, i));
        total += Rows::load(x + i);
      });
      const float mean = values.one * share;
      const Sums squares = sums_of(shape.width, [&](Int i, Floats& total, Floats&) {
        const Floats off = Rows::load(x + i) - mean;
        total += off * off;
      });
      const float inverse = 1 / __builtin_sqrtf(squares.one * share + 1e-5F);
      for (Int i = 0; i < shape.width; i += lanes)
        Rows::store(out.normed + at + i,
                    (Rows::load(x + i) - mean) * inverse * Rows::load(out.weight + i) + Rows::load(out.bias + i));
      out.mean[row] = mean;
      out.inverse[row] = inverse;
    }
  }

  static void norm_backward(const RowsShape& shape, const NormForBackward<Element>& in,
                            const NormGradients<Element>& out) {
    const float share = 1 / static_cast<float>(shape.width);
    for (Int row = 0; row < shape.rows; ++row) {
      const Int at = row * shape.width;
      const Element* const x = in.sum + at;
      const Element* const upper = in.normed_gradient + at;
      const float mean = in.mean[row];
      const float inverse = in.inverse[row];
      const Sums slopes = sums_of(shape.width, [&](Int i, Floats& weighted, Floats& along) {
        const Floats gradient = Rows::load(upper + i);
        const Floats normal = (Rows::load(x + i) - mean) * inverse;
        const Floats slope = gradient * Rows::load(in.weight + i);
        weighted += slope;
        along += slope * normal;
        add(out.weight + i, gradient * normal);
        add(out.bias + i, gradient);
      });
      const float offset = slopes.one * share;
      const float tilt = slopes.other * share;
      for (Int i = 0; i < shape.width; i += lanes) {
        const Floats normal = (Rows::load(x + i) - mean) * inverse;
        Floats found = (Rows::load(upper + i) * Rows::load(in.weight + i) - offset - normal * tilt) * inverse;
        if (in.sum_gradient != nullptr) found += Rows::load(in.sum_gradient + at + i);
        Rows::store(out.sum + at + i, found);
        if (out.branch_bias != nullptr) add(out.branch_bias + i, found);
      }
    }
  }

 public:
  static constexpr RowKernels<Element> functions() { return {gelu, gelu_backward, sum, sum_and_norm, norm_backward}; }
};

}  // namespace masksc
