// Attention of one head of one cell in fp32 on a CPU: softmax(Q K^T scale) V and its gradients, in vectors of `lanes`
// floats. Instantiated once for each processor, in a source that is compiled for it (attention_avx2.cpp, ...).
//
// Some rows of queries at a time meet all tokens, so their scores stay in the nearest caches, and a row's maximum and
// sum are known before its weights are needed. The backward pass makes the weights again from the scores, as flash
// attention does (Dao et al. 2022, https://arxiv.org/abs/2205.14135), with the logarithm of each row's sum.
//
// Only what these sources may share with those compiled for any processor is included here: an inline function of
// the standard library, compiled here, could replace that of the whole program.
#pragma once

#include <cstdint>

namespace masksc {

/// Rows of a matrix, `stride` floats apart.
struct ReadRows {
  const float* data;
  std::int64_t stride;
};
struct WrittenRows {
  float* data;
  std::int64_t stride;
};

struct HeadShape {
  std::int64_t queries, tokens, dim;  // of queries, keys and values: rows, rows and columns
  float scale;                        // of the scores: 1 / sqrt(dim)
};

/// What the backward pass is given: of the forward pass queries, keys, values, output and `log_sums`, and the gradient
/// of the output.
struct HeadForBackward {
  ReadRows queries, keys, values, output, gradient;
  const float* log_sums;
};
struct HeadGradients {
  WrittenRows queries, keys, values;
};

/// The two passes for one processor. `room`: as many floats as the functions beside say, anything in them.
struct HeadAttention {
  std::int64_t (*forward_room)(const HeadShape&);
  std::int64_t (*backward_room)(const HeadShape&);
  /// Writes the output and, for each query, log2 of the sum of exp(score).
  void (*forward)(const HeadShape&, const ReadRows& queries, const ReadRows& keys, const ReadRows& values,
                  const WrittenRows& output, float* log_sums, float* room);
  void (*backward)(const HeadShape&, const HeadForBackward&, const HeadGradients&, float* room);
};

extern const HeadAttention avx2_attention;    // AVX2 and FMA
extern const HeadAttention avx512_attention;  // AVX-512 F

}  // namespace masksc
