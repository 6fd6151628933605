#include "published_optimizers.hpp"

namespace masksc {
namespace {

constexpr double epsilon = 1e-7;  // Keras'
constexpr double rms_decay = 0.9;
constexpr double delta_decay = 0.95;

}  // namespace

RmsProp::RmsProp(const FlatParameters& parameters) : square_(at::zeros_like(parameters.values())) {}

void RmsProp::step(const FlatParameters& parameters, double learning_rate, double clip) {
  const at::NoGradGuard no_gradient;
  const at::Tensor gradient = at::clamp(parameters.gradients(), -clip, clip);
  square_.mul_(rms_decay).addcmul_(gradient, gradient, 1 - rms_decay);
  at::Tensor(parameters.values()).addcdiv_(gradient, at::sqrt(square_).add_(epsilon), -learning_rate);
}

Adadelta::Adadelta(const FlatParameters& parameters)
    : square_(at::zeros_like(parameters.values())), steps_(at::zeros_like(parameters.values())) {}

void Adadelta::step(const FlatParameters& parameters) {
  const at::NoGradGuard no_gradient;
  const at::Tensor& gradient = parameters.gradients();
  square_.mul_(delta_decay).addcmul_(gradient, gradient, 1 - delta_decay);
  const at::Tensor step = at::add(steps_, epsilon).div_(at::add(square_, epsilon)).sqrt_().mul_(gradient);
  steps_.mul_(delta_decay).addcmul_(step, step, 1 - delta_decay);
  at::Tensor(parameters.values()).sub_(step);
}

}  // namespace masksc
