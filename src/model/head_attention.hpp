// Attention of one head of one cell on a CPU: softmax(Q K^T scale) V and its gradients, in fp32 or bf16. Instantiated
// once for each kind of processor, in a source that is compiled for it (attention_avx2.cpp, ...).
//
// Some rows of queries at a time meet all tokens, so their scores stay in the nearest caches, and a row's maximum and
// sum are known before its weights are needed. The backward pass makes the weights again from the scores, as flash
// attention does (Dao et al. 2022, https://arxiv.org/abs/2205.14135), with the logarithm of each row's sum. Softmax and
// all sums are fp32; with bf16 the factors of products are rounded to it.
//
// Only what these sources may share with those compiled for any processor is included here: an inline function of
// the standard library, compiled here, could replace that of the whole program.
#pragma once

#include <cstdint>

namespace masksc {

/// The bits of a number in bf16: the upper half of those of a float.
using Bf16Bits = std::uint16_t;

/// Rows of a matrix, `stride` elements apart.
template <class Element>
struct HeadRows {
  Element* data;
  std::int64_t stride;

  // Always inline: a function of its own might be the one compiled for another processor.
  [[nodiscard, gnu::always_inline]] HeadRows from(std::int64_t row) const { return {data + row * stride, stride}; }
};

struct HeadShape {
  std::int64_t queries, tokens, dim;  // of queries, keys and values: rows, rows and columns
  float scale;                        // of the scores: 1 / sqrt(dim)
};

template <class Element>
struct HeadInput {
  HeadRows<const Element> queries, keys, values;
};

/// What the backward pass is given: of the forward pass the input, output and `log_sums`, and the gradient of the
/// output.
template <class Element>
struct HeadForBackward {
  HeadInput<Element> input;
  HeadRows<const Element> output, gradient;
  const float* log_sums;
};

template <class Element>
struct HeadGradients {
  HeadRows<Element> queries, keys, values;
};

/// The two passes for one kind of processor. `room`: as many floats as the functions beside say, anything in them.
template <class Element>
struct HeadAttention {
  std::int64_t (*forward_room)(const HeadShape&);
  std::int64_t (*backward_room)(const HeadShape&);
  /// Writes the output and, for each query, log2 of the sum of exp(score).
  void (*forward)(const HeadShape&, const HeadInput<Element>&, const HeadRows<Element>& output, float* log_sums,
                  float* room);
  void (*backward)(const HeadShape&, const HeadForBackward<Element>&, const HeadGradients<Element>&, float* room);
};

extern const HeadAttention<float> avx2_attention;            // AVX2 and FMA
extern const HeadAttention<float> avx512_attention;          // AVX-512 F
extern const HeadAttention<Bf16Bits> avx512_bf16_attention;  // AVX-512 F, BW, VL, DQ and BF16
extern const HeadAttention<Bf16Bits> amx_attention;          // the same and AMX-BF16

}  // namespace masksc
