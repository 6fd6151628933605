// Attention of all heads at once: softmax(Q K^T / sqrt(d)) V.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// queries [B, H, K, d], keys and values [B, H, T, d] -> [B, H, K, d]. On a GPU by LibTorch's fused attention. On a CPU
/// in fp32 by kernels of our own where it has AVX2 or AVX-512 (src/model/head_attention.hpp), as LibTorch multiplies
/// by AVX2 at most within its fused one on AMD's; in bf16 by plain products, whose backward pass takes a half (257
/// tokens) to a tenth (65) of the fused one's time (benchmarks/results/step.md); these keep the weights [B, H, K, T]
/// for the backward pass. Softmax adds up in fp32.
at::Tensor attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values);

/// Its weights alone: softmax(Q K^T / sqrt(d)), [B, H, K, T].
at::Tensor attention_weights(const at::Tensor& queries, const at::Tensor& keys);

}  // namespace masksc
