// Attention of all heads at once: softmax(Q K^T / sqrt(d)) V.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// queries [B, H, K, d], keys and values [B, H, T, d] -> [B, H, K, d]. On a GPU by LibTorch's fused attention. On a CPU
/// by kernels of our own (src/model/head_attention.hpp) in fp32 where it has AVX2 or AVX-512, as LibTorch multiplies by
/// AVX2 at most within its fused one on AMD's, and in bf16 where it has AVX-512 with bf16 (tiles: AMX, too). Other
/// CPUs: in bf16 by plain products, whose backward pass took a half (257 tokens) to a tenth (65) of the fused one's
/// time on Zen 5 (benchmarks/results/step.md); these keep the weights [B, H, K, T] for the backward pass. Softmax adds
/// up in fp32.
at::Tensor attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values);
/// The same of a block's tokens to each other: packed [B, T, 3 * D], the queries of all heads, then keys, then values
/// -> [B, H, T, D / H]. By a kernel of our own the gradient is written in place; autograd copies it together otherwise.
at::Tensor self_attention(const at::Tensor& packed, std::int64_t heads);

/// y [B, T, n * D] -> n tensors [B, H, T, D / H]. Unbound before they are transposed: the gradient is put together
/// once.
std::vector<at::Tensor> split_heads(const at::Tensor& y, std::int64_t n, std::int64_t heads);

/// Whether this machine's CPU attends by products in this type, so that weights are kept for the backward pass.
bool keeps_attention_weights(at::ScalarType type);

/// Its weights alone: softmax(Q K^T / sqrt(d)), [B, H, K, T].
at::Tensor attention_weights(const at::Tensor& queries, const at::Tensor& keys);

}  // namespace masksc
