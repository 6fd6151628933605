#include "masksc/model/fused.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "cpu_kernels.hpp"
#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Element>
Element* elements(const at::Tensor& t) {
  return t.defined() ? static_cast<Element*>(t.data_ptr()) : nullptr;
}

/// That `others` are rows as those of `x`, or one number a column.
void check(const at::Tensor& x, std::initializer_list<std::optional<at::Tensor>> others) {
  for (const std::optional<at::Tensor>& other : others) {
    if (!other) continue;
    ensure(other->scalar_type() == x.scalar_type() && other->is_contiguous(), "fused rows are of one type and whole");
    ensure(other->numel() == x.numel() || other->numel() == x.size(-1), "fused rows are of one shape");
  }
}

/// The rows of `x` in parts, one a thread: work(kernels, first element, RowsShape).
template <class Work>
void over_rows(const at::Tensor& x, const Work& work) {
  ensure(has_fused_rows(x), "there are kernels for these rows");
  const std::int64_t width = x.size(-1);
  constexpr std::int64_t elements_a_part = 1 << 15;
  with_cpu_kernels(x, [&](const auto& kernels) {
    at::parallel_for(0, x.numel() / width, std::max<std::int64_t>(elements_a_part / width, 1),
                     [&](std::int64_t begin, std::int64_t end) {
                       work(*kernels.rows, begin * width, RowsShape{end - begin, width});
                     });
  });
}

/// Such work that adds to sums over columns, too: `count` rows of them, in the type of `x`. Which rows a thread adds up
/// depends on the number of threads alone.
template <class Work>
at::Tensor column_sums(const at::Tensor& x, std::int64_t count, const Work& work) {
  const std::int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const at::Tensor parts = at::zeros({threads, count, x.size(-1)}, at::kFloat);
  over_rows(x, [&](const auto& kernels, std::int64_t at, const RowsShape& shape) {
    const std::int64_t thread = threads > 1 ? at::get_thread_num() : 0;
    work(kernels, at, shape, parts.data_ptr<float>() + thread * count * shape.width);
  });
  return (threads == 1 ? parts[0] : parts.sum(0)).to(x.scalar_type());
}

at::Tensor run_gelu(const at::Tensor& x, const at::Tensor& bias) {
  check(x, {x, bias});
  at::Tensor y = at::empty_like(x);
  over_rows(x, [&]<class Element>(const RowKernels<Element>& kernels, std::int64_t at, const RowsShape& shape) {
    kernels.gelu(shape, {elements<Element>(x) + at, elements<Element>(bias)}, elements<Element>(y) + at);
  });
  return y;
}

std::tuple<at::Tensor, at::Tensor> run_gelu_backward(const at::Tensor& gradient, const at::Tensor& x,
                                                     const at::Tensor& bias) {
  check(x, {gradient, x, bias});
  at::Tensor found = at::empty_like(x);
  const at::Tensor sums =
      column_sums(x, 1,
                  [&]<class Element>(const RowKernels<Element>& kernels, std::int64_t at, const RowsShape& shape,
                                     float* bias_sums) {
                    kernels.gelu_backward(shape, {elements<Element>(x) + at, elements<Element>(bias)},
                                          elements<Element>(gradient) + at, elements<Element>(found) + at, bias_sums);
                  });
  return {found, sums[0]};
}

at::Tensor run_sum(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& bias) {
  check(x, {x, branch, bias});
  at::Tensor sum = at::empty_like(x);
  over_rows(x, [&]<class Element>(const RowKernels<Element>& kernels, std::int64_t at, const RowsShape& shape) {
    kernels.sum(shape, {elements<Element>(x) + at, elements<Element>(branch) + at, elements<Element>(bias),
                        elements<Element>(sum) + at});
  });
  return sum;
}

/// The sum, unless there is no branch; the normed rows; their means and inverse deviations [2, rows].
std::tuple<at::Tensor, at::Tensor, at::Tensor> run_norm(const at::Tensor& x, const std::optional<at::Tensor>& branch,
                                                        const std::optional<at::Tensor>& branch_bias,
                                                        const at::Tensor& weight, const at::Tensor& bias) {
  check(x, {x, branch, branch_bias, weight, bias});
  at::Tensor sum = branch ? at::empty_like(x) : at::Tensor();
  at::Tensor normed = at::empty_like(x);
  at::Tensor moments = at::empty({2, x.numel() / x.size(-1)}, at::kFloat);
  over_rows(x, [&]<class Element>(const RowKernels<Element>& kernels, std::int64_t at, const RowsShape& shape) {
    SumRows<Element> summed{elements<Element>(x) + at, nullptr, nullptr, nullptr};
    if (branch)
      summed = {summed.x, elements<Element>(*branch) + at, elements<Element>(*branch_bias),
                elements<Element>(sum) + at};
    const std::int64_t row = at / shape.width;
    kernels.sum_and_norm(shape, summed,
                         {elements<Element>(weight), elements<Element>(bias), elements<Element>(normed) + at,
                          moments[0].data_ptr<float>() + row, moments[1].data_ptr<float>() + row});
  });
  return {sum, normed, moments};
}

/// The gradients of the sum, and of the norm's weight and bias and the branch's bias (if `branch`) as rows.
std::tuple<at::Tensor, at::Tensor> run_norm_backward(const at::Tensor& normed_gradient,
                                                     const std::optional<at::Tensor>& sum_gradient,
                                                     const at::Tensor& sum, const at::Tensor& moments,
                                                     const at::Tensor& weight, bool branch) {
  check(sum, {normed_gradient, sum_gradient, sum, weight});
  at::Tensor found = at::empty_like(sum);
  const auto work = [&]<class Element>(const RowKernels<Element>& kernels, std::int64_t at, const RowsShape& shape,
                                       float* sums) {
    const std::int64_t row = at / shape.width;
    kernels.norm_backward(
        shape,
        {elements<Element>(sum) + at, elements<Element>(weight), elements<Element>(normed_gradient) + at,
         sum_gradient ? elements<Element>(*sum_gradient) + at : nullptr, moments[0].data_ptr<float>() + row,
         moments[1].data_ptr<float>() + row},
        {elements<Element>(found) + at, sums, sums + shape.width, branch ? sums + 2 * shape.width : nullptr});
  };
  at::Tensor sums = column_sums(sum, branch ? 3 : 2, work);
  return {found, sums};
}

TORCH_LIBRARY_FRAGMENT(masksc, library) {
  library.def("gelu(Tensor x, Tensor bias) -> Tensor");
  library.def("gelu_backward(Tensor gradient, Tensor x, Tensor bias) -> (Tensor, Tensor)");
  library.def("sum(Tensor x, Tensor branch, Tensor bias) -> Tensor");
  library.def(
      "norm(Tensor x, Tensor? branch, Tensor? branch_bias, Tensor weight, Tensor bias) -> (Tensor, Tensor, Tensor)");
  library.def(
      "norm_backward(Tensor normed_gradient, Tensor? sum_gradient, Tensor sum, Tensor moments, Tensor weight, "
      "bool branch) -> (Tensor, Tensor)");
  library.impl("gelu", c10::DispatchKey::CPU, TORCH_FN(run_gelu));
  library.impl("gelu_backward", c10::DispatchKey::CPU, TORCH_FN(run_gelu_backward));
  library.impl("sum", c10::DispatchKey::CPU, TORCH_FN(run_sum));
  library.impl("norm", c10::DispatchKey::CPU, TORCH_FN(run_norm));
  library.impl("norm_backward", c10::DispatchKey::CPU, TORCH_FN(run_norm_backward));
}

auto normed(const at::Tensor& x, const std::optional<at::Tensor>& branch, const std::optional<at::Tensor>& branch_bias,
            const at::Tensor& weight, const at::Tensor& bias) {
  static const auto run = operation<decltype(run_norm)>("masksc::norm");
  return run.call(x.contiguous(), branch, branch_bias, weight, bias);
}

/// Of a sum and its norm, either of which may have been used by nobody.
std::tuple<at::Tensor, at::Tensor> norm_backward(const variable_list& gradients, const variable_list& saved,
                                                 bool branch) {
  static const auto run = operation<decltype(run_norm_backward)>("masksc::norm_backward");
  const at::Tensor& sum = saved[0];
  const at::Tensor upper = gradients[1].defined() ? gradients[1].contiguous() : at::zeros_like(sum);
  const auto direct = gradients[0].defined() ? std::optional(gradients[0].contiguous()) : std::nullopt;
  return run.call(upper, direct, sum, saved[1], saved[2], branch);
}

// Once differentiable, as attention is.

struct NormOf : torch::autograd::Function<NormOf> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias) {
    const at::Tensor whole = x.contiguous();
    const auto [none, found, moments] = normed(whole, {}, {}, weight, bias);
    context->set_materialize_grads(false);
    context->save_for_backward({whole, moments, weight});
    return {x, found};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto [found, sums] = norm_backward(gradients, context->get_saved_variables(), false);
    return {found, sums[0], sums[1]};
  }
};

struct SumAndNorm : torch::autograd::Function<SumAndNorm> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& branch,
                               const at::Tensor& branch_bias, const at::Tensor& weight, const at::Tensor& bias) {
    const auto [sum, found, moments] = normed(x, branch.contiguous(), branch_bias, weight, bias);
    context->set_materialize_grads(false);
    context->save_for_backward({sum, moments, weight});
    return {sum, found};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto [found, sums] = norm_backward(gradients, context->get_saved_variables(), true);
    return {found, found, sums[2], sums[0], sums[1]};
  }
};

struct SumOf : torch::autograd::Function<SumOf> {
  static at::Tensor forward(AutogradContext* /*context*/, const at::Tensor& x, const at::Tensor& branch,
                            const at::Tensor& bias) {
    static const auto run = operation<decltype(run_sum)>("masksc::sum");
    return run.call(x.contiguous(), branch.contiguous(), bias);
  }
  static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
    return {gradients[0], gradients[0], gradients[0].flatten(0, -2).sum(0)};
  }
};

struct BiasedGelu : torch::autograd::Function<BiasedGelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& bias) {
    static const auto run = operation<decltype(run_gelu)>("masksc::gelu");
    const at::Tensor whole = x.contiguous();
    context->save_for_backward({whole, bias});
    return run.call(whole, bias);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    static const auto run = operation<decltype(run_gelu_backward)>("masksc::gelu_backward");
    const variable_list saved = context->get_saved_variables();
    const auto [found, sums] = run.call(gradients[0].contiguous(), saved[0], saved[1]);
    return {found, sums};
  }
};

}  // namespace

bool has_fused_rows(const at::Tensor& x) {
  return x.is_cpu() && x.numel() > 0 && x.size(-1) % row_lanes == 0 && has_cpu_kernels(x.scalar_type());
}

NormedStream norm_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const variable_list found = NormOf::apply(x, weight, bias);
  return {found[0], found[1]};
}

NormedStream sum_and_norm(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& branch_bias,
                          const at::Tensor& weight, const at::Tensor& bias) {
  const variable_list found = SumAndNorm::apply(x, branch, branch_bias, weight, bias);
  return {found[0], found[1]};
}

at::Tensor sum_of(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& bias) {
  return SumOf::apply(x, branch, bias);
}

at::Tensor biased_gelu(const at::Tensor& x, const at::Tensor& bias) { return BiasedGelu::apply(x, bias); }

}  // namespace masksc
