#include "masksc/model/attention.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "cpu_attention.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

double scale_of(const at::Tensor& queries) { return 1 / std::sqrt(static_cast<double>(queries.size(-1))); }

/// By products, with a backward pass that keeps no copies of its inputs.
struct ProductAttention : torch::autograd::Function<ProductAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values) {
    const at::Tensor weights = attention_weights(queries, keys);
    context->save_for_backward({queries, keys, values, weights});
    return at::matmul(weights, values);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& queries = saved[0];
    const at::Tensor& keys = saved[1];
    const at::Tensor& values = saved[2];
    const at::Tensor& weights = saved[3];
    const at::Tensor& gradient = gradients[0];
    const at::Tensor scores =
        at::_softmax_backward_data(at::matmul(gradient, values.transpose(-2, -1)), weights, -1, weights.scalar_type());
    return {at::matmul(scores, keys) * scale_of(queries),
            at::matmul(scores.transpose(-2, -1), queries * scale_of(queries)),
            at::matmul(weights.transpose(-2, -1), gradient)};
  }
};

}  // namespace

bool keeps_attention_weights(at::ScalarType type) { return type == at::kBFloat16 && !has_attention_kernel(type); }

at::Tensor attention_weights(const at::Tensor& queries, const at::Tensor& keys) {
  return at::softmax(at::matmul(queries * scale_of(queries), keys.transpose(-2, -1)), -1);
}

at::Tensor attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  if (goes_by_heads(queries, keys)) return attention_by_heads(queries, keys, values);
  if (queries.is_cpu() && keeps_attention_weights(queries.scalar_type()))
    return ProductAttention::apply(queries, keys, values);
  return at::scaled_dot_product_attention(queries, keys, values);
}

at::Tensor self_attention(const at::Tensor& packed, std::int64_t heads) {
  if (goes_by_heads(packed, packed)) return attention_by_heads(packed, heads);
  const std::vector<at::Tensor> qkv = split_heads(packed, 3, heads);
  return attention(qkv[0], qkv[1], qkv[2]);
}

std::vector<at::Tensor> split_heads(const at::Tensor& y, std::int64_t n, std::int64_t heads) {
  std::vector<at::Tensor> parts = y.view({y.size(0), y.size(1), n, heads, y.size(2) / (n * heads)}).unbind(2);
  for (at::Tensor& part : parts) part = part.transpose(1, 2);
  return parts;
}

}  // namespace masksc
