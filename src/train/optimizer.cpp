#include "masksc/train/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace masksc {

AdamW::AdamW(const FlatParameters& parameters, AdamWSettings settings)
    : settings_(settings), first_(at::zeros_like(parameters.values())), second_(at::zeros_like(parameters.values())) {}

void AdamW::step(FlatParameters& parameters, double learning_rate) {
  const at::NoGradGuard no_gradient;
  ++steps_;
  const at::Tensor count = at::full({}, static_cast<double>(steps_), first_.options());
  const auto update = [&](std::int64_t begin, std::int64_t length, double decay) {
    if (length == 0) return;
    const auto part = [&](const at::Tensor& flat) { return std::vector<at::Tensor>{flat.narrow(0, begin, length)}; };
    at::_fused_adamw_(part(parameters.values()), part(parameters.gradients()), part(first_), part(second_), {}, {count},
                      learning_rate, settings_.beta1, settings_.beta2, decay, settings_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
  };
  const std::int64_t decayed = parameters.decayed_count();
  update(0, decayed, settings_.weight_decay);
  update(decayed, parameters.count() - decayed, 0);
}

double clip_gradients(const at::Tensor& gradients, double largest) {
  const double norm = gradients.norm().item<double>();
  if (norm > largest) at::Tensor(gradients).mul_(largest / (norm + 1e-6));
  return norm;
}

double scheduled_learning_rate(std::int64_t step, std::int64_t total, double peak, double warmup) {
  const auto position = static_cast<double>(step);
  const double rising = warmup * static_cast<double>(total);
  const double warm = rising > 0 ? std::min(1.0, (position + 1) / rising) : 1.0;
  return peak * warm * 0.5 *
         (1 + std::cos(std::numbers::pi * position / static_cast<double>(std::max<std::int64_t>(total, 1))));
}

}  // namespace masksc
