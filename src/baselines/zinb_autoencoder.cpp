#include "zinb_autoencoder.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "masksc/train/optimizer.hpp"

namespace masksc {
namespace {

constexpr double norm_momentum = 0.01;  // of Keras, which gives it as .99
constexpr double norm_epsilon = 1e-3;   // Keras'
constexpr std::uint32_t parameter_set = 21;

std::string layer_name(std::size_t layer) { return fmt::format("layer{}", layer); }

/// Outputs of the layers in order: encoder, then decoder without its heads.
std::vector<std::int64_t> layer_widths(const AutoencoderShape& shape) {
  std::vector<std::int64_t> widths = shape.widths;
  widths.insert(widths.end(), std::next(shape.widths.rbegin()), shape.widths.rend());
  return widths;
}

std::vector<ParameterSpec> specs_of(const AutoencoderShape& shape) {
  std::vector<ParameterSpec> specs;
  std::int64_t in = shape.inputs;
  const std::vector<std::int64_t> widths = layer_widths(shape);
  for (std::size_t layer = 0; layer < widths.size(); ++layer) {
    add_glorot_linear(specs, layer_name(layer), in, widths[layer]);
    if (shape.batch_norm) specs.push_back({layer_name(layer) + ".shift", {widths[layer]}, Initial::zeros(), false});
    in = widths[layer];
  }
  for (const char* head : {"mean", "theta", "dropout"}) add_glorot_linear(specs, head, in, shape.genes);
  if (shape.clusters > 0) specs.push_back({"centres", {shape.clusters, shape.widths.back()}, Initial::zeros(), false});
  return specs;
}

AutoencoderShape with_clusters(AutoencoderShape shape, std::int64_t clusters) {
  shape.clusters = clusters;
  return shape;
}

}  // namespace

ZinbAutoencoder::ZinbAutoencoder(AutoencoderShape shape, std::uint64_t seed)
    : shape_(std::move(shape)), parameters_(specs_of(shape_), seed, parameter_set, at::kCPU) {
  if (!shape_.batch_norm) return;
  for (const std::int64_t width : layer_widths(shape_)) {
    running_.push_back(at::zeros({width}, at::kFloat));
    running_.push_back(at::ones({width}, at::kFloat));
  }
}

ZinbAutoencoder::ZinbAutoencoder(const ZinbAutoencoder& pretrained, const at::Tensor& centres)
    : ZinbAutoencoder(with_clusters(pretrained.shape_, centres.size(0)), 0) {
  const at::NoGradGuard no_gradient;
  for (const ParameterSpec& spec : parameters_.specs())
    at::Tensor(parameters_.at(spec.name))
        .detach()
        .copy_(spec.name == "centres" ? centres : pretrained.parameters_.at(spec.name));
  for (std::size_t i = 0; i < running_.size(); ++i) running_[i].copy_(pretrained.running_[i]);
}

at::Tensor ZinbAutoencoder::activated(const at::Tensor& x, std::size_t layer, bool training) {
  if (!shape_.batch_norm) return at::relu(x);
  return at::relu(at::batch_norm(x, at::ones({x.size(1)}, at::kFloat), parameters_.at(layer_name(layer) + ".shift"),
                                 running_[2 * layer], running_[2 * layer + 1], training, norm_momentum, norm_epsilon,
                                 /*cudnn_enabled=*/false));
}

at::Tensor ZinbAutoencoder::encode(const at::Tensor& x, const NoiseKey* noise) {
  const auto noisy = [&](const at::Tensor& h, std::size_t layer) {
    if (noise == nullptr || shape_.noise <= 0) return h;
    return h + gaussian_noise(h.size(1), *noise, static_cast<std::uint32_t>(layer)).mul_(shape_.noise);
  };
  at::Tensor h = noisy(x, 0);
  for (std::size_t layer = 0; layer + 1 < shape_.widths.size(); ++layer)
    h = activated(noisy(linear(parameters_, layer_name(layer), h), layer + 1), layer, noise != nullptr);
  return linear(parameters_, layer_name(shape_.widths.size() - 1), h);
}

ZinbHeads ZinbAutoencoder::decode(const at::Tensor& bottleneck, bool training) {
  std::size_t layer = shape_.widths.size() - 1;
  at::Tensor h = shape_.batch_norm ? activated(bottleneck, layer, training) : bottleneck;
  for (++layer; layer < layer_widths(shape_).size(); ++layer)
    h = activated(linear(parameters_, layer_name(layer), h), layer, training);
  return {linear(parameters_, "mean", h), linear(parameters_, "theta", h), linear(parameters_, "dropout", h)};
}

ZinbResult loss_of(const CountData& data, const ZinbHeads& heads, std::span<const std::int64_t> cells, double ridge) {
  return zinb_loss(heads, data.counts, cells, gather(data.factors, cells), ridge);
}

void step_gradients(ZinbAutoencoder& autoencoder, const ZinbHeads& heads, const ZinbResult& likelihood,
                    const at::Tensor& more, const std::string& method, std::int64_t epoch) {
  check_loss(likelihood.loss + (more.defined() ? more.item<double>() : 0), method, epoch);
  std::vector<at::Tensor> ends = {heads.mean, heads.theta, heads.dropout};
  std::vector<at::Tensor> gradients = {likelihood.gradient.mean, likelihood.gradient.theta,
                                       likelihood.gradient.dropout};
  if (more.defined()) {
    ends.push_back(more);
    gradients.push_back(at::ones_like(more));
  }
  autoencoder.parameters().zero_gradients();
  torch::autograd::backward(ends, gradients);
}

void pretrain(ZinbAutoencoder& autoencoder, const CountData& data, const PretrainSettings& settings,
              const BaselineSettings& run) {
  AdamW adam(autoencoder.parameters(), {.beta1 = 0.9, .beta2 = 0.999, .weight_decay = 0});
  const std::vector<std::int64_t> cells = all_cells(data.rows.cells());
  const std::int64_t epochs = settings.length.epochs_of(BatchPlan(data.rows.cells(), settings.batch_size).steps);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(epoch);
    for_each_batch(cells, settings.batch_size, run.seed, number, run.poll, [&](std::span<const std::int64_t> batch) {
      const NoiseKey noise{run.seed, number, batch};
      const ZinbHeads heads = autoencoder.decode(autoencoder.encode(data.rows.of(batch), &noise));
      const ZinbResult result = loss_of(data, heads, batch, settings.ridge);
      step_gradients(autoencoder, heads, result, {}, settings.method, epoch);
      adam.step(autoencoder.parameters(), settings.learning_rate);
    });
  }
}

}  // namespace masksc
