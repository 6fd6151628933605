#include "masksc/model/sequence_encoder.hpp"

#include <cmath>

#include "masksc/model/distributed.hpp"
#include "masksc/model/products.hpp"

namespace masksc {
namespace {

constexpr double momentum = 0.1;  // of the running statistics, as torch.nn.BatchNorm1d

std::vector<ParameterSpec> specs_of(const SequenceShape& s) {
  std::vector<ParameterSpec> specs;
  const auto add_layer = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    const Initial initial = Initial::uniform(1 / std::sqrt(static_cast<double>(in)));
    specs.push_back({name + ".weight", {s.groups, in, out}, initial, true});
    specs.push_back({name + ".bias", {s.groups, 1, out}, initial, false});
  };
  const auto add_batch_norm = [&](const std::string& name, std::int64_t size) {
    specs.push_back({name + ".weight", {s.groups, 1, size}, Initial::ones(), false});
    specs.push_back({name + ".bias", {s.groups, 1, size}, Initial::zeros(), false});
  };
  add_layer("linear1", s.inputs, s.hidden1);
  add_batch_norm("norm1", s.hidden1);
  add_layer("linear2", s.hidden1, s.hidden2);
  add_batch_norm("norm2", s.hidden2);
  add_layer("linear3", s.hidden2, s.outputs);
  return specs;
}

const char* norm_name(int layer) { return layer == 0 ? "norm1" : "norm2"; }

}  // namespace

SequenceEncoder::SequenceEncoder(SequenceShape shape, std::uint64_t seed, std::uint32_t parameter_set,
                                 at::Device device)
    : shape_(shape), parameters_(specs_of(shape), seed, parameter_set, device) {
  const auto options = at::TensorOptions(at::kFloat).device(device);
  running_ = {at::zeros({shape.groups, 1, shape.hidden1}, options), at::ones({shape.groups, 1, shape.hidden1}, options),
              at::zeros({shape.groups, 1, shape.hidden2}, options),
              at::ones({shape.groups, 1, shape.hidden2}, options)};
}

void SequenceEncoder::track(std::size_t layer, const BatchStatistics& statistics, std::int64_t count) {
  const at::NoGradGuard no_gradient;
  const double unbiased = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
  running_[2 * layer].lerp_(statistics.mean, momentum);
  running_[2 * layer + 1].lerp_(statistics.variance * unbiased, momentum);
}

at::Tensor SequenceEncoder::normalised(const at::Tensor& x, int layer, const at::Tensor& row_weights,
                                       std::int64_t count, Collectives& ranks) {
  const BatchStatistics statistics = batch_statistics(x, row_weights, count, ranks);
  track(static_cast<std::size_t>(layer), statistics, count);
  const std::string name = norm_name(layer);
  return at::relu(distributed_batch_norm(x, parameters_.at(name + ".weight"), parameters_.at(name + ".bias"),
                                         statistics, row_weights, count, ranks));
}

at::Tensor SequenceEncoder::train_forward(const at::Tensor& x, const at::Tensor& row_weights, std::int64_t count,
                                          Collectives& ranks) {
  const at::Tensor input = x.view({x.size(0), shape_.groups, shape_.inputs}).transpose(0, 1);
  at::Tensor h = grouped_product(input, parameters_.at("linear1.weight")) + parameters_.at("linear1.bias");
  h = normalised(h, 0, row_weights, count, ranks);
  h = grouped_product(h, parameters_.at("linear2.weight")) + parameters_.at("linear2.bias");
  h = normalised(h, 1, row_weights, count, ranks);
  return grouped_product(h, parameters_.at("linear3.weight")) + parameters_.at("linear3.bias");
}

at::Tensor SequenceEncoder::frozen_tail(const at::Tensor& hidden) const {
  const auto norm = [&](const at::Tensor& h, int layer) {
    const auto at_layer = static_cast<std::size_t>(2 * layer);
    const std::string name = norm_name(layer);
    const at::Tensor scale = parameters_.at(name + ".weight") * at::rsqrt(running_[at_layer + 1] + batch_norm_epsilon);
    return at::relu(h * scale + (parameters_.at(name + ".bias") - running_[at_layer] * scale));
  };
  at::Tensor h = norm(hidden, 0);
  h = norm(grouped_product(h, parameters_.at("linear2.weight")) + parameters_.at("linear2.bias"), 1);
  h = grouped_product(h, parameters_.at("linear3.weight")) + parameters_.at("linear3.bias");
  return h.transpose(0, 1);
}

at::Tensor SequenceEncoder::answer(const at::Tensor& x) const {
  const at::NoGradGuard no_gradient;
  const at::Tensor input = x.view({x.size(0), shape_.groups, shape_.inputs}).transpose(0, 1);
  return frozen_tail(grouped_product(input, parameters_.at("linear1.weight")) + parameters_.at("linear1.bias"));
}

at::Tensor SequenceEncoder::patch_answers(const at::Tensor& patches) const {
  const at::NoGradGuard no_gradient;
  const at::Tensor weights = parameters_.at("linear1.weight").view({patches.size(1), patches.size(2), shape_.hidden1});
  return frozen_tail(grouped_product(patches.transpose(0, 1), weights) + parameters_.at("linear1.bias"));
}

}  // namespace masksc
