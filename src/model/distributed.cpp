#include "masksc/model/distributed.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include "masksc/dist/tree_sum.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor weighted_sum(const at::Tensor& x, const at::Tensor& row_weights) {
  return (x * row_weights.view({1, -1, 1})).sum(1, /*keepdim=*/true);
}

/// The backward pass of batch norm over the global batch: the means of dy and dy * xhat are all-reduced.
class BatchNormFunction : public torch::autograd::Function<BatchNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gamma,
                            const at::Tensor& beta, const at::Tensor& mean, const at::Tensor& scale,
                            const at::Tensor& row_weights, std::int64_t count, std::int64_t ranks) {
    const at::Tensor normalised = (x - mean) * scale;
    context->save_for_backward({normalised, gamma, scale, row_weights});
    context->saved_data["count"] = count;
    context->saved_data["ranks"] = ranks;
    return normalised * gamma + beta;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& normalised = saved[0];
    const at::Tensor& gamma = saved[1];
    const at::Tensor& scale = saved[2];
    const at::Tensor& row_weights = saved[3];
    const auto count = static_cast<double>(context->saved_data["count"].toInt());
    auto& ranks = *reinterpret_cast<Collectives*>(context->saved_data["ranks"].toInt());
    const at::Tensor dy = gradients[0] * row_weights.view({1, -1, 1});
    const at::Tensor d_beta = dy.sum(1, true);
    const at::Tensor d_gamma = (dy * normalised).sum(1, true);
    const at::Tensor means = at::stack({d_beta, d_gamma}).contiguous();
    all_reduce(ranks, means);
    means.div_(count);
    const at::Tensor through_statistics = (means[0] + normalised * means[1]) * row_weights.view({1, -1, 1});
    const at::Tensor dx = gamma * scale * (dy - through_statistics);
    const at::Tensor none;
    return {dx, d_gamma, d_beta, none, none, none, none, none};
  }
};

/// Calls reduce(span) with the elements of a contiguous tensor, where there are several ranks.
template <typename Reduce>
void through_host(Collectives& ranks, const at::Tensor& tensor, const Reduce& reduce) {
  ensure(tensor.is_contiguous(), "all-reduced tensors are contiguous");
  if (ranks.size() == 1) return;
  const at::Tensor host = tensor.cpu();
  const auto count = static_cast<std::size_t>(host.numel());
  if (host.scalar_type() == at::kDouble)
    reduce(std::span(host.data_ptr<double>(), count));
  else
    reduce(std::span(host.data_ptr<float>(), count));
  if (!tensor.is_cpu()) at::Tensor(tensor).copy_(host);
}

}  // namespace

void all_reduce(Collectives& ranks, const at::Tensor& tensor) {
  through_host(ranks, tensor, [&](auto values) { ranks.all_reduce(values); });
}

void tree_all_reduce(Collectives& ranks, const at::Tensor& tensor) {
  through_host(ranks, tensor, [&](auto values) { tree_all_reduce(ranks, values); });
}

void broadcast(Collectives& ranks, const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu().contiguous();
  ranks.broadcast(std::span(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())));
  if (!ranks.is_root()) at::Tensor(tensor).copy_(host);
}

BatchStatistics batch_statistics(const at::Tensor& x, const at::Tensor& row_weights, std::int64_t count,
                                 Collectives& ranks) {
  const at::NoGradGuard no_gradient;
  const auto cells = static_cast<double>(count);
  at::Tensor mean = weighted_sum(x, row_weights).contiguous();
  all_reduce(ranks, mean);
  mean.div_(cells);
  at::Tensor variance = weighted_sum((x - mean).square(), row_weights).contiguous();
  all_reduce(ranks, variance);
  variance.div_(cells);
  return {mean, variance};
}

at::Tensor distributed_batch_norm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                  const BatchStatistics& statistics, const at::Tensor& row_weights, std::int64_t count,
                                  Collectives& ranks) {
  const at::Tensor scale = at::rsqrt(statistics.variance + batch_norm_epsilon);
  return BatchNormFunction::apply(x, gamma, beta, statistics.mean, scale, row_weights, count,
                                  static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&ranks)));
}

}  // namespace masksc
