// Attention in fp32 on CPUs, head by head (head_attention.hpp). As operators of LibTorch's dispatcher,
// masksc::attention and masksc::attention_backward, so that traces, counts and recordings see them.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// For fp32 tensors with elements, on a processor with AVX2 or AVX-512; not where ATEN_CPU_CAPABILITY=default.
bool goes_by_heads(const at::Tensor& queries, const at::Tensor& keys);

/// queries [B, H, K, d], keys and values [B, H, T, d] -> [B, H, K, d]. The same bits on any number of threads.
at::Tensor attention_by_heads(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values);

}  // namespace masksc
