// Attention in fp32 and bf16 on CPUs, head by head (head_attention.hpp). As operators of LibTorch's dispatcher,
// masksc::attention and masksc::attention_backward, so that traces, counts and recordings see them.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// Whether this machine's CPU has a kernel for it (none has where ATEN_CPU_CAPABILITY=default): fp32 with AVX2 or
/// AVX-512; bf16 with AVX-512 that multiplies such numbers, and by tiles of them (AMX) where it has these.
bool has_attention_kernel(at::ScalarType type);
/// For tensors with elements on a CPU that has a kernel for them.
bool goes_by_heads(const at::Tensor& queries, const at::Tensor& keys);

/// queries [B, H, K, d], keys and values [B, H, T, d] -> [B, H, K, d]. The same bits on any number of threads.
at::Tensor attention_by_heads(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values);
/// As self_attention (masksc/model/attention.hpp).
at::Tensor attention_by_heads(const at::Tensor& packed, std::int64_t heads);

}  // namespace masksc
