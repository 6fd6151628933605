#include "masksc/model/sequence_shards.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/on_threads.hpp"
#include "masksc/dist/tree_sum.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/products.hpp"

namespace masksc {
namespace {

std::string linear(std::size_t layer, const char* part) { return fmt::format("linear{}.{}", layer + 1, part); }
std::string norm(std::size_t layer, const char* part) { return fmt::format("norm{}.{}", layer + 1, part); }

}  // namespace

ShardedSequencePass::ShardedSequencePass(SequenceEncoder& encoder, const std::vector<SequenceShard>& shards,
                                         std::int64_t count, int threads, Collectives& ranks)
    : encoder_(encoder), count_(count), threads_(threads), ranks_(ranks) {
  const SequenceShape& shape = encoder.shape();
  for (const SequenceShard& given : shards) {
    Shard shard;
    shard.weights = given.weights.view({1, -1, 1});
    for (std::size_t v = 0; v < shard.views.size(); ++v)
      shard.views[v].input[0] =
          given.views[v].view({-1, shape.groups, shape.inputs}).transpose(0, 1).contiguous();  // [g, n, in]
    shards_.push_back(std::move(shard));
  }
}

at::Tensor ShardedSequencePass::value(const std::string& name) const { return encoder_.parameters().at(name).detach(); }

void ShardedSequencePass::add_gradient(Shard& shard, const std::string& name, const at::Tensor& gradient) const {
  const auto& specs = encoder_.parameters().specs();
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const ParameterSpec& spec) { return spec.name == name; });
  encoder_.parameters().part(shard.gradients, static_cast<std::size_t>(found - specs.begin())).add_(gradient);
}

void ShardedSequencePass::for_each_view(const std::function<void(Shard&, std::size_t)>& work) {
  on_threads(threads_, static_cast<std::int64_t>(shards_.size()), [&](std::int64_t shard, int) {
    at::init_num_threads();  // LibTorch's setting reaches a new thread of ours only when asked for
    const at::NoGradGuard no_gradient;
    for (std::size_t view = 0; view < 2; ++view) work(shards_[static_cast<std::size_t>(shard)], view);
  });
}

/// [2 views, shape of a term]
at::Tensor ShardedSequencePass::sum_over_shards(const std::function<at::Tensor(Shard&, std::size_t)>& term) {
  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> terms(shards_.size());
  on_threads(threads_, static_cast<std::int64_t>(shards_.size()), [&](std::int64_t s, int) {
    at::init_num_threads();
    const at::NoGradGuard no_gradient_here;
    Shard& shard = shards_[static_cast<std::size_t>(s)];
    const at::Tensor first = term(shard, 0);
    terms[static_cast<std::size_t>(s)] = at::stack({first, term(shard, 1)});
  });
  for_each_tree_addition(static_cast<std::int64_t>(terms.size()), [&](std::int64_t to, std::int64_t from) {
    terms[static_cast<std::size_t>(to)].add_(terms[static_cast<std::size_t>(from)]);
  });
  tree_all_reduce(ranks_, terms[0]);
  return terms[0];
}

void ShardedSequencePass::normalise(std::size_t layer) {
  const auto cells = static_cast<double>(count_);
  const at::Tensor mean = sum_over_shards([&](Shard& shard, std::size_t v) {
                            return (shard.views[v].hidden * shard.weights).sum(1, true);
                          }).div_(cells);
  const at::Tensor variance =
      sum_over_shards([&](Shard& shard, std::size_t v) {
        return ((shard.views[v].hidden - mean[static_cast<std::int64_t>(v)]).square() * shard.weights).sum(1, true);
      }).div_(cells);
  for (std::int64_t v = 0; v < 2; ++v) encoder_.track(layer, {mean[v], variance[v]}, count_);
  norms_[layer] = {mean, at::rsqrt(variance + batch_norm_epsilon)};
  for_each_view([&](Shard& shard, std::size_t v) {
    View& view = shard.views[v];
    const auto at = static_cast<std::int64_t>(v);
    view.normalised[layer] = (view.hidden - mean[at]) * norms_[layer].scale[at];
    view.input[layer + 1] =
        at::relu(view.normalised[layer] * value(norm(layer, "weight")) + value(norm(layer, "bias")));
  });
}

std::vector<std::array<at::Tensor, 2>> ShardedSequencePass::forward() {
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for_each_view([&](Shard& shard, std::size_t v) {
      View& view = shard.views[v];
      view.hidden = grouped_product(view.input[layer], value(linear(layer, "weight"))) + value(linear(layer, "bias"));
    });
    if (layer + 1 < layers) normalise(layer);
  }
  std::vector<std::array<at::Tensor, 2>> answers;
  for (const Shard& shard : shards_) answers.push_back({shard.views[0].hidden, shard.views[1].hidden});
  return answers;
}

/// Through a linear layer and the ReLU before it. Returns what the norm before that needs summed over all cells: the
/// gradients of its bias and weight, [2, g, 1, c].
at::Tensor ShardedSequencePass::backward_linear(std::size_t layer, Shard& shard, std::size_t v) const {
  View& view = shard.views[v];
  const at::Tensor& input = view.input[layer];
  add_gradient(shard, linear(layer, "weight"), grouped_product(input.transpose(1, 2), view.gradient));
  add_gradient(shard, linear(layer, "bias"), view.gradient.sum(1, true));
  if (layer == 0) return {};
  const at::Tensor before = grouped_product(view.gradient, value(linear(layer, "weight")).transpose(1, 2));
  view.gradient = at::threshold_backward(before, input, 0) * shard.weights;
  const at::Tensor of_bias = view.gradient.sum(1, true);
  const at::Tensor of_weight = (view.gradient * view.normalised[layer - 1]).sum(1, true);
  add_gradient(shard, norm(layer - 1, "bias"), of_bias);
  add_gradient(shard, norm(layer - 1, "weight"), of_weight);
  return at::stack({of_bias, of_weight});
}

void ShardedSequencePass::backward(const std::vector<std::array<at::Tensor, 2>>& gradients) {
  const at::NoGradGuard no_gradient;
  FlatParameters& parameters = encoder_.parameters();
  for (std::size_t s = 0; s < shards_.size(); ++s) {
    shards_[s].gradients = at::zeros_like(parameters.gradients());
    for (std::size_t v = 0; v < 2; ++v) shards_[s].views[v].gradient = gradients[s][v];
  }
  for (std::size_t layer = layers - 1; layer > 0; --layer) {
    const at::Tensor means = sum_over_shards([&](Shard& shard, std::size_t v) {
                               return backward_linear(layer, shard, v);
                             }).div_(static_cast<double>(count_));  // [2 views, 2, g, 1, c]
    for_each_view([&](Shard& shard, std::size_t v) {
      View& view = shard.views[v];
      const at::Tensor mine = means[static_cast<std::int64_t>(v)];
      const at::Tensor scale = norms_[layer - 1].scale[static_cast<std::int64_t>(v)];
      const at::Tensor through_statistics = (mine[0] + view.normalised[layer - 1] * mine[1]) * shard.weights;
      view.gradient = value(norm(layer - 1, "weight")) * scale * (view.gradient - through_statistics);
    });
  }
  for_each_view([&](Shard& shard, std::size_t v) { backward_linear(0, shard, v); });
  for_each_tree_addition(static_cast<std::int64_t>(shards_.size()), [&](std::int64_t to, std::int64_t from) {
    shards_[static_cast<std::size_t>(to)].gradients.add_(shards_[static_cast<std::size_t>(from)].gradients);
  });
  tree_all_reduce(ranks_, shards_[0].gradients);
  at::Tensor(parameters.gradients()).copy_(shards_[0].gradients);
}

}  // namespace masksc
