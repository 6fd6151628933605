#include "masksc/train/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace masksc {

std::vector<FlatSlice> whole_slices(const FlatParameters& parameters) {
  const std::int64_t decayed = parameters.decayed_count();
  return {{FlatParameters::padding, decayed, true},
          {FlatParameters::padding + decayed, parameters.count() - decayed, false}};
}

AdamW::AdamW(const FlatParameters& parameters, AdamWSettings settings)
    : AdamW(parameters, settings, whole_slices(parameters)) {}

AdamW::AdamW(const FlatParameters& parameters, AdamWSettings settings, std::vector<FlatSlice> slices)
    : settings_(settings), slices_(std::move(slices)) {
  std::int64_t length = 0;
  for (const FlatSlice& slice : slices_) length += slice.length;
  first_ = at::zeros({length}, parameters.values().options());
  second_ = at::zeros_like(first_);
}

void AdamW::step(FlatParameters& parameters, double learning_rate, double divisor) {
  const at::NoGradGuard no_gradient;
  ++steps_;
  const auto scalar = [&](double value) { return at::full({}, value, first_.options()); };
  const at::Tensor count = scalar(static_cast<double>(steps_));
  for (const bool decay : {true, false}) {
    std::vector<at::Tensor> values;
    std::vector<at::Tensor> gradients;
    std::vector<at::Tensor> first;
    std::vector<at::Tensor> second;
    std::int64_t begin = 0;
    for (const FlatSlice& slice : slices_) {
      if (slice.decay == decay && slice.length > 0) {
        values.push_back(parameters.padded_values().narrow(0, slice.begin, slice.length));
        gradients.push_back(parameters.padded_gradients().narrow(0, slice.begin, slice.length));
        first.push_back(first_.narrow(0, begin, slice.length));
        second.push_back(second_.narrow(0, begin, slice.length));
      }
      begin += slice.length;
    }
    if (values.empty()) continue;
    at::_fused_adamw_(values, gradients, first, second, {}, std::vector<at::Tensor>(values.size(), count),
                      learning_rate, settings_.beta1, settings_.beta2, decay ? settings_.weight_decay : 0.0,
                      settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false,
                      divisor == 1 ? std::nullopt : std::optional<at::Tensor>(scalar(divisor)));
  }
}

at::Tensor squares_by_rows(const at::Tensor& vector) {
  constexpr std::int64_t row = 1024;
  const std::int64_t whole = vector.numel() / row * row;
  const auto squares = [](const at::Tensor& rows) {
    return at::linalg_vector_norm(rows, 2, at::OptionalIntArrayRef(1)).to(at::kDouble).square().sum();
  };
  return squares(vector.narrow(0, 0, whole).view({-1, row})) +
         squares(vector.narrow(0, whole, vector.numel() - whole).unsqueeze(0));
}

double squared_norm(const FlatParameters& parameters, const std::vector<FlatSlice>& slices) {
  const auto part_of_slice = [&](const FlatSlice& slice) {
    return parameters.padded_gradients().narrow(0, slice.begin, slice.length);
  };
  if (!parameters.padded_gradients().is_cpu()) {
    std::vector<at::Tensor> parts;
    for (const FlatSlice& slice : slices) parts.push_back(squares_by_rows(part_of_slice(slice)));
    return at::stack(parts).sum().item<double>();
  }
  double sum = 0;
  for (const FlatSlice& slice : slices) {
    // Added up in float64: the norm of slices is then that of the whole, and so are the bits of the update.
    const at::Tensor part = part_of_slice(slice);
    const double norm = at::linalg_vector_norm(part, 2, std::nullopt, false, at::kDouble).item<double>();
    sum += norm * norm;
  }
  return sum;
}

double clipping_divisor(double norm, double largest) { return norm > largest ? (norm + 1e-6) / largest : 1; }

double scheduled_learning_rate(std::int64_t step, std::int64_t total, double peak, double warmup) {
  const auto position = static_cast<double>(step);
  const double rising = warmup * static_cast<double>(total);
  const double warm = rising > 0 ? std::min(1.0, (position + 1) / rising) : 1.0;
  return peak * warm * 0.5 *
         (1 + std::cos(std::numbers::pi * position / static_cast<double>(std::max<std::int64_t>(total, 1))));
}

}  // namespace masksc
