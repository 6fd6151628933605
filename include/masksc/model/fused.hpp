// What lies between the products of a transformer block, on CPUs that have kernels of ours for it (src/model/
// row_kernels.hpp): each function in one pass over its rows forward and one backward, which makes the gradients of
// biases and norms by the way. Elsewhere a block is computed operation by operation (block.cpp).
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// Whether the functions below take rows [.., width] like those of `x`: on a CPU with kernels for their type, and of a
/// width that is a multiple of 16. All of their tensors are of this type.
bool has_fused_rows(const at::Tensor& x);

/// The residual stream [.., width], and its layer norm, which the next branch sees.
struct NormedStream {
  at::Tensor values;
  at::Tensor normed;
};

/// x and its layer norm, so that the backward pass adds up what comes from both.
NormedStream norm_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
/// x + (branch + branch_bias), and the layer norm of that.
NormedStream sum_and_norm(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& branch_bias,
                          const at::Tensor& weight, const at::Tensor& bias);
/// x + (branch + bias)
at::Tensor sum_of(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& bias);
/// gelu(x + bias)
at::Tensor biased_gelu(const at::Tensor& x, const at::Tensor& bias);

}  // namespace masksc
