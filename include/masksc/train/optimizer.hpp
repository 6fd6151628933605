// AdamW over flat parameters, the learning-rate schedule and gradient clipping.
#pragma once

#include <cstdint>

#include "masksc/model/parameters.hpp"

namespace masksc {

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// Decoupled weight decay (Loshchilov & Hutter 2019) through ATen's fused kernel, one call for the decayed part and one
/// for the rest. With weight_decay 0 it is Adam.
class AdamW {
 public:
  AdamW(const FlatParameters& parameters, AdamWSettings settings);
  void step(FlatParameters& parameters, double learning_rate);

  [[nodiscard]] const at::Tensor& first_moment() const { return first_; }
  [[nodiscard]] const at::Tensor& second_moment() const { return second_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  AdamWSettings settings_;
  at::Tensor first_;
  at::Tensor second_;
  std::int64_t steps_ = 0;
};

/// Scales `gradients` so that their norm is at most `largest`; returns the norm before.
double clip_gradients(const at::Tensor& gradients, double largest);

/// Linear warm-up over warmup * total steps, then cosine to zero. `step` counts from 0.
double scheduled_learning_rate(std::int64_t step, std::int64_t total, double peak, double warmup);

}  // namespace masksc
