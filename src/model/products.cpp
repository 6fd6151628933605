#include "masksc/model/products.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <exception>

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The operator that LibTorch's compiler puts in place of at::linear for inference: no copies into oneDNN's layouts.
const std::optional<c10::OperatorHandle>& onednn_linear() {
  static const std::optional<c10::OperatorHandle> found =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  return found;
}

/// x [n, in] times weight^T, of any strides.
at::Tensor times_transposed(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias = {}) {
  using Scalars = c10::List<std::optional<at::Scalar>>;
  c10::Stack stack = {x, weight, bias ? c10::IValue(*bias) : c10::IValue(), "none", Scalars(), ""};
  onednn_linear()->callBoxed(stack);
  return stack.at(0).toTensor();
}

at::Tensor as_rows(const at::Tensor& x) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  return rows.is_non_overlapping_and_dense() ? rows : rows.contiguous();
}

/// In bf16 at::mm calls oneDNN itself, faster than the operator above does; in fp32 it would call MKL.
at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == at::kFloat ? times_transposed(a, b.t()) : at::mm(a, b);
}

struct OneDnnLinear : torch::autograd::Function<OneDnnLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = weight.size(0);
    return times_transposed(as_rows(x), weight, bias).view(shape);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor gradient = as_rows(gradients[0]);
    variable_list found(3);
    if (context->needs_input_grad(0)) found[0] = product(gradient, weight).view(x.sizes());
    if (context->needs_input_grad(1)) {
      const at::Tensor rows = as_rows(x);
      found[1] = weight.stride(0) >= weight.stride(1) ? product(gradient.t(), rows) : product(rows.t(), gradient).t();
    }
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) found[2] = gradient.sum(0);
    return found;
  }
};

bool mkl_is_slow_here() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool slow =
      __builtin_cpu_is("amd") != 0 && __builtin_cpu_supports("avx512f") != 0 && has_onednn_linear(at::kFloat);
  return slow;
#else
  return false;
#endif
}

bool goes_by_onednn(const at::Tensor& x, const at::Tensor& weight) {
  if (!x.is_cpu() || x.scalar_type() != weight.scalar_type() || x.numel() == 0) return false;
  return x.scalar_type() == at::kFloat ? mkl_is_slow_here() : has_onednn_linear(x.scalar_type());
}

}  // namespace

bool has_onednn_linear(at::ScalarType type) {
  if (type == at::kFloat) return onednn_linear().has_value();
  // oneDNN refuses bf16 where the CPU, or ONEDNN_MAX_CPU_ISA, does not let it take AVX-512.
  static const bool takes_bf16 = [] {
    const at::Tensor one = at::ones({1, 1}, at::kBFloat16);
    try {
      return onednn_linear().has_value() && times_transposed(one, one).defined();
    } catch (const std::exception&) {
      return false;
    }
  }();
  return type == at::kBFloat16 && takes_bf16;
}

at::Tensor affine_by_onednn(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return OneDnnLinear::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return goes_by_onednn(x, weight) ? affine_by_onednn(x, weight, bias) : at::linear(x, weight, bias);
}

at::Tensor grouped_product(const at::Tensor& x, const at::Tensor& weight) {
  if (weight.size(0) != 1 || x.scalar_type() != at::kFloat || !goes_by_onednn(x, weight)) return at::matmul(x, weight);
  return affine_by_onednn(x, weight[0].t());
}

}  // namespace masksc
