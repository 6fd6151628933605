#include "cpu_attention.hpp"

#include <ATen/Version.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <string>

#include "head_attention.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/host.hpp"
#include "masksc/model/attention.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Kernels {
  const HeadAttention<float>* fp32 = nullptr;
  const HeadAttention<Bf16Bits>* bf16 = nullptr;
};

/// Those for this processor, at most what LibTorch's own kernels would take, too.
const Kernels& kernels_here() {
  static const Kernels found = [] {
    Kernels kernels;
#ifdef __x86_64__
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX2") kernels.fp32 = &avx2_attention;
    if (capability == "AVX512") {
      kernels.fp32 = &avx512_attention;
      if (__builtin_cpu_supports("avx512bf16") != 0)
        kernels.bf16 = may_use_amx_bf16() ? &amx_attention : &avx512_bf16_attention;
    }
#endif
    return kernels;
  }();
  return found;
}

at::Tensor with_whole_rows(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

/// [B, H, rows, d], nothing in it yet, with the heads of a row beside each other.
at::Tensor empty_heads(const at::Tensor& like) {
  return at::empty({like.size(0), like.size(2), like.size(1), like.size(3)}, like.options()).transpose(1, 2);
}

/// The rows of one head of one cell.
struct Head {
  std::int64_t cell, head;
  template <class Element>
  [[nodiscard]] HeadRows<Element> rows(const at::Tensor& x) const {
    return {static_cast<Element*>(x.data_ptr()) + cell * x.stride(0) + head * x.stride(1), x.stride(2)};
  }
};

HeadShape shape_of(const at::Tensor& queries, const at::Tensor& keys) {
  return {.queries = queries.size(2),
          .tokens = keys.size(2),
          .dim = queries.size(3),
          .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(queries.size(3))))};
}

/// work(head, room) for each head of each cell.
template <class Work>
void for_heads(const at::Tensor& queries, std::int64_t room, const Work& work) {
  const std::int64_t heads = queries.size(1);
  at::parallel_for(0, queries.size(0) * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor own_room = at::empty({room}, queries.options().dtype(at::kFloat));
    for (std::int64_t i = begin; i < end; ++i) work(Head{i / heads, i % heads}, own_room.data_ptr<float>());
  });
}

/// work(kernel) with the kernel for the elements of `x`, which `others` have, too.
template <class Work>
void with_kernel(const at::Tensor& x, std::initializer_list<at::Tensor> others, const Work& work) {
  ensure(has_attention_kernel(x.scalar_type()), "attention by heads: there is a kernel for the type");
  for (const at::Tensor& other : others)
    ensure(other.scalar_type() == x.scalar_type(), "attention by heads: all tensors are of one type");
  if (x.scalar_type() == at::kBFloat16)
    work(*kernels_here().bf16);
  else
    work(*kernels_here().fp32);
}

std::tuple<at::Tensor, at::Tensor> run_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor queries = with_whole_rows(q);
  const at::Tensor keys = with_whole_rows(k);
  const at::Tensor values = with_whole_rows(v);
  at::Tensor output = empty_heads(queries);
  at::Tensor log_sums =
      at::empty({queries.size(0), queries.size(1), queries.size(2)}, queries.options().dtype(at::kFloat));
  const HeadShape shape = shape_of(queries, keys);
  with_kernel(queries, {keys, values}, [&]<class Element>(const HeadAttention<Element>& kernel) {
    for_heads(queries, kernel.forward_room(shape), [&](const Head& head, float* room) {
      const HeadInput<Element> input{head.rows<const Element>(queries), head.rows<const Element>(keys),
                                     head.rows<const Element>(values)};
      kernel.forward(shape, input, head.rows<Element>(output), head.rows<float>(log_sums).data, room);
    });
  });
  return {output, log_sums};
}

void run_backward(const at::Tensor& upper, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& output, const at::Tensor& log_sums, const at::Tensor& query_gradient,
                  const at::Tensor& key_gradient, const at::Tensor& value_gradient) {
  const at::Tensor gradient = with_whole_rows(upper);
  const at::Tensor queries = with_whole_rows(q);
  const at::Tensor keys = with_whole_rows(k);
  const at::Tensor values = with_whole_rows(v);
  const HeadShape shape = shape_of(queries, keys);
  with_kernel(queries, {keys, values, output, gradient, query_gradient, key_gradient, value_gradient},
              [&]<class Element>(const HeadAttention<Element>& kernel) {
                for_heads(queries, kernel.backward_room(shape), [&](const Head& head, float* room) {
                  const HeadForBackward<Element> given{
                      .input = {head.rows<const Element>(queries), head.rows<const Element>(keys),
                                head.rows<const Element>(values)},
                      .output = head.rows<const Element>(output),
                      .gradient = head.rows<const Element>(gradient),
                      .log_sums = head.rows<const float>(log_sums).data};
                  kernel.backward(shape, given,
                                  {head.rows<Element>(query_gradient), head.rows<Element>(key_gradient),
                                   head.rows<Element>(value_gradient)},
                                  room);
                });
              });
}

TORCH_LIBRARY(masksc, library) {
  library.def("attention(Tensor queries, Tensor keys, Tensor values) -> (Tensor, Tensor)");
  library.def(
      "attention_backward(Tensor gradient, Tensor queries, Tensor keys, Tensor values, Tensor output, "
      "Tensor log_sums, Tensor(a!) query_gradient, Tensor(b!) key_gradient, Tensor(c!) value_gradient) -> ()");
  library.impl("attention", c10::DispatchKey::CPU, TORCH_FN(run_forward));
  library.impl("attention_backward", c10::DispatchKey::CPU, TORCH_FN(run_backward));
}

template <class Function>
auto operation(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

/// Attention, and what its backward pass takes.
variable_list forward_pass(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  static const auto run = operation<decltype(run_forward)>("masksc::attention");
  const auto [output, log_sums] = run.call(queries, keys, values);
  return {queries, keys, values, output, log_sums};
}
void backward_pass(const at::Tensor& gradient, const variable_list& saved, const variable_list& to) {
  static const auto run = operation<decltype(run_backward)>("masksc::attention_backward");
  run.call(gradient, saved[0], saved[1], saved[2], saved[3], saved[4], to[0], to[1], to[2]);
}

/// Once differentiable, as fused attention is.
struct HeadsAttention : torch::autograd::Function<HeadsAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values) {
    const variable_list found = forward_pass(queries, keys, values);
    context->save_for_backward(found);
    return found[3];
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    variable_list to = {empty_heads(saved[0]), empty_heads(saved[1]), empty_heads(saved[2])};
    backward_pass(gradients[0], saved, to);
    return to;
  }
};

/// Of packed tokens, whose gradient is written where it belongs: autograd would copy it together.
struct PackedAttention : torch::autograd::Function<PackedAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& packed, std::int64_t heads) {
    const variable_list parts = split_heads(packed, 3, heads);
    const variable_list found = forward_pass(parts[0], parts[1], parts[2]);
    context->save_for_backward({packed, found[3], found[4]});
    context->saved_data["heads"] = heads;
    return found[3];
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::int64_t heads = context->saved_data["heads"].toInt();
    const at::Tensor to = at::empty(saved[0].sizes(), saved[0].options());
    variable_list given = split_heads(saved[0], 3, heads);
    given.insert(given.end(), {saved[1], saved[2]});
    backward_pass(gradients[0], given, split_heads(to, 3, heads));
    return {to, {}};
  }
};

}  // namespace

bool has_attention_kernel(at::ScalarType type) {
  return (type == at::kBFloat16 && kernels_here().bf16 != nullptr) ||
         (type == at::kFloat && kernels_here().fp32 != nullptr);
}

bool goes_by_heads(const at::Tensor& queries, const at::Tensor& keys) {
  return queries.is_cpu() && queries.numel() > 0 && keys.numel() > 0 && has_attention_kernel(queries.scalar_type());
}

at::Tensor attention_by_heads(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  return HeadsAttention::apply(queries, keys, values);
}

at::Tensor attention_by_heads(const at::Tensor& packed, std::int64_t heads) {
  return PackedAttention::apply(packed, heads);
}

}  // namespace masksc
