#include "cpu_attention.hpp"

#include <ATen/Version.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

#include "head_attention.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The one that LibTorch's own kernels would take, too.
const HeadAttention* kernel_here() {
#ifdef __x86_64__
  static const HeadAttention* const found = [] {
    const std::string capability = at::get_cpu_capability();
    return capability == "AVX512" ? &avx512_attention : capability == "AVX2" ? &avx2_attention : nullptr;
  }();
  return found;
#else
  return nullptr;
#endif
}

at::Tensor with_whole_rows(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

/// [B, H, rows, d], nothing in it yet, with the heads of a row beside each other.
at::Tensor empty_heads(const at::Tensor& like) {
  return at::empty({like.size(0), like.size(2), like.size(1), like.size(3)}, like.options()).transpose(1, 2);
}

/// The rows of one head of one cell.
struct Head {
  std::int64_t cell, head;
  [[nodiscard]] ReadRows read(const at::Tensor& x) const { return {written(x).data, x.stride(2)}; }
  [[nodiscard]] WrittenRows written(const at::Tensor& x) const {
    return {x.data_ptr<float>() + cell * x.stride(0) + head * x.stride(1), x.stride(2)};
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
    const at::Tensor own_room = at::empty({room}, queries.options());
    for (std::int64_t i = begin; i < end; ++i) work(Head{i / heads, i % heads}, own_room.data_ptr<float>());
  });
}

std::tuple<at::Tensor, at::Tensor> run_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor queries = with_whole_rows(q);
  const at::Tensor keys = with_whole_rows(k);
  const at::Tensor values = with_whole_rows(v);
  at::Tensor output = empty_heads(queries);
  at::Tensor log_sums = at::empty({queries.size(0), queries.size(1), queries.size(2)}, queries.options());
  const HeadShape shape = shape_of(queries, keys);
  const HeadAttention& kernel = *kernel_here();
  for_heads(queries, kernel.forward_room(shape), [&](const Head& head, float* room) {
    kernel.forward(shape, head.read(queries), head.read(keys), head.read(values), head.written(output),
                   head.written(log_sums).data, room);
  });
  return {output, log_sums};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> run_backward(const at::Tensor& upper, const at::Tensor& q,
                                                            const at::Tensor& k, const at::Tensor& v,
                                                            const at::Tensor& output, const at::Tensor& log_sums) {
  const at::Tensor gradient = with_whole_rows(upper);
  const at::Tensor queries = with_whole_rows(q);
  const at::Tensor keys = with_whole_rows(k);
  const at::Tensor values = with_whole_rows(v);
  std::tuple found(empty_heads(queries), empty_heads(keys), empty_heads(values));
  const HeadShape shape = shape_of(queries, keys);
  const HeadAttention& kernel = *kernel_here();
  for_heads(queries, kernel.backward_room(shape), [&](const Head& head, float* room) {
    const HeadForBackward given{.queries = head.read(queries),
                                .keys = head.read(keys),
                                .values = head.read(values),
                                .output = head.read(output),
                                .gradient = head.read(gradient),
                                .log_sums = head.read(log_sums).data};
    const HeadGradients gradients{head.written(std::get<0>(found)), head.written(std::get<1>(found)),
                                  head.written(std::get<2>(found))};
    kernel.backward(shape, given, gradients, room);
  });
  return found;
}

TORCH_LIBRARY(masksc, library) {
  library.def("attention(Tensor queries, Tensor keys, Tensor values) -> (Tensor, Tensor)");
  library.def(
      "attention_backward(Tensor gradient, Tensor queries, Tensor keys, Tensor values, Tensor output, "
      "Tensor log_sums) -> (Tensor, Tensor, Tensor)");
  library.impl("attention", c10::DispatchKey::CPU, TORCH_FN(run_forward));
  library.impl("attention_backward", c10::DispatchKey::CPU, TORCH_FN(run_backward));
}

struct HeadsAttention : torch::autograd::Function<HeadsAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values) {
    static const auto operation =
        c10::Dispatcher::singleton().findSchemaOrThrow("masksc::attention", "").typed<decltype(run_forward)>();
    const auto [output, log_sums] = operation.call(queries, keys, values);
    context->save_for_backward({queries, keys, values, output, log_sums});
    return output;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    static const auto operation = c10::Dispatcher::singleton()
                                      .findSchemaOrThrow("masksc::attention_backward", "")
                                      .typed<decltype(run_backward)>();
    const variable_list saved = context->get_saved_variables();
    const auto [queries, keys, values] = operation.call(gradients[0], saved[0], saved[1], saved[2], saved[3], saved[4]);
    return {queries, keys, values};
  }
};

}  // namespace

bool goes_by_heads(const at::Tensor& queries, const at::Tensor& keys) {
  return queries.is_cpu() && queries.scalar_type() == at::kFloat && queries.numel() > 0 && keys.numel() > 0 &&
         kernel_here() != nullptr;
}

at::Tensor attention_by_heads(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  return HeadsAttention::apply(queries, keys, values);
}

}  // namespace masksc
