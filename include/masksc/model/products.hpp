// Matrix products on CPUs where LibTorch's own way is a slow one.
//
// LibTorch multiplies fp32 matrices by Intel's MKL, which takes its AVX2 kernels on CPUs that are not Intel's. Its
// other library, oneDNN, uses AVX-512 wherever it is: 2.2 times as fast on an AMD Zen 5 core (230 of 106 GFLOP/s,
// benchmarks/results/step.md). So products go by oneDNN on AMD CPUs with AVX-512, and by LibTorch's choice elsewhere.
// bf16 goes by oneDNN anyway where that takes it, but at::linear first writes the bias to all rows of the answer: here
// it is added within the product.
#pragma once

#include "masksc/model/torch.hpp"

namespace masksc {

/// x [.., in], weight [out, in], bias [out] or undefined -> [.., out], as at::linear.
at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// x [groups, n, in] times weight [groups or 1, in, out] -> [groups, n, out], as at::matmul.
at::Tensor grouped_product(const at::Tensor& x, const at::Tensor& weight);

/// affine() by oneDNN, in the types for which this LibTorch and CPU have it (has_onednn_linear). Gradients have the
/// layout of what they are the gradients of, as weight may be a transposed view.
at::Tensor affine_by_onednn(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});
/// Of fp32 or bf16; false for all others.
bool has_onednn_linear(at::ScalarType type);

}  // namespace masksc
