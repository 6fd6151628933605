// What lies between the products of a transformer block on a CPU, in one pass over rows: bias and GELU; a sum of the
// residual stream, a branch and its bias, and the layer norm of that. In fp32 or bf16, whose rows are made of fp32
// sums; sums over columns are fp32. Instantiated once for each kind of processor, as attention is (head_attention.hpp),
// and with the same care for what is included.
#pragma once

#include <cstdint>

#include "head_attention.hpp"

namespace masksc {

/// Rows lie one after the other. Their width is a multiple of this.
inline constexpr std::int64_t row_lanes = 16;

struct RowsShape {
  std::int64_t rows, width;
};

/// x + bias [width] -> GELU by the normal distribution (at::gelu), to 2e-7 of the distribution function.
template <class Element>
struct GeluRows {
  const Element *x, *bias;
};

/// sum = x + (branch + bias); without a branch x is the sum, and `sum` is not written.
template <class Element>
struct SumRows {
  const Element *x, *branch, *bias;
  Element* sum;
};

/// normed = (sum - mean) * inverse * weight + bias: layer norm with the variance's 1e-5 more, at::layer_norm's default.
template <class Element>
struct NormRows {
  const Element *weight, *bias;
  Element* normed;
  float *mean, *inverse;  // [rows]
};

/// Of the forward pass the sum and its moments; the gradients of the normed rows and, unless null, of the sum.
template <class Element>
struct NormForBackward {
  const Element *sum, *weight, *normed_gradient, *sum_gradient;
  const float *mean, *inverse;
};

/// The gradient of the sum, and sums over columns [width] that the functions add to: gradients of the norm's weight and
/// bias and, unless null, of the branch's bias.
template <class Element>
struct NormGradients {
  Element* sum;
  float *weight, *bias, *branch_bias;
};

template <class Element>
struct RowKernels {
  void (*gelu)(const RowsShape&, const GeluRows<Element>&, Element* y);
  /// Adds the gradient of the bias to `bias_sums` [width].
  void (*gelu_backward)(const RowsShape&, const GeluRows<Element>&, const Element* gradient, Element* x_gradient,
                        float* bias_sums);
  void (*sum)(const RowsShape&, const SumRows<Element>&);
  void (*sum_and_norm)(const RowsShape&, const SumRows<Element>&, const NormRows<Element>&);
  void (*norm_backward)(const RowsShape&, const NormForBackward<Element>&, const NormGradients<Element>&);
};

extern const RowKernels<float> avx2_rows;            // AVX2 and FMA
extern const RowKernels<float> avx512_rows;          // AVX-512 F
extern const RowKernels<Bf16Bits> avx512_bf16_rows;  // AVX-512 F, BW, VL, DQ and BF16

}  // namespace masksc
