// AdamW over flat parameters or a rank's slices of them, the learning-rate schedule and gradient clipping.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/model/parameters.hpp"

namespace masksc {

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// A part of the padded buffers of FlatParameters; weight decay applies to all of it or to none.
struct FlatSlice {
  std::int64_t begin = 0;  // element of padded_values()
  std::int64_t length = 0;
  bool decay = false;
};
/// The decayed parameters and the others.
std::vector<FlatSlice> whole_slices(const FlatParameters& parameters);

/// Decoupled weight decay (Loshchilov & Hutter 2019) through ATen's fused kernel. With weight_decay 0 it is Adam.
class AdamW {
 public:
  AdamW(const FlatParameters& parameters, AdamWSettings settings);
  /// Updates only `slices`; keeps state for them only.
  AdamW(const FlatParameters& parameters, AdamWSettings settings, std::vector<FlatSlice> slices);

  /// One update by gradients() / divisor, in one pass.
  void step(FlatParameters& parameters, double learning_rate, double divisor = 1);

  /// State of the slices, one after the other.
  [[nodiscard]] const at::Tensor& first_moment() const { return first_; }
  [[nodiscard]] const at::Tensor& second_moment() const { return second_; }
  [[nodiscard]] const std::vector<FlatSlice>& slices() const { return slices_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  AdamWSettings settings_;
  std::vector<FlatSlice> slices_;
  at::Tensor first_;
  at::Tensor second_;
  std::int64_t steps_ = 0;
};

/// The sum of the squares of a vector, one float64 on its device, from float32 norms of 1024 elements each: a GPU would
/// convert a copy of the whole to float64 first.
at::Tensor squares_by_rows(const at::Tensor& vector);

/// Sum of the squared gradients of the slices.
double squared_norm(const FlatParameters& parameters, const std::vector<FlatSlice>& slices);

/// What gradients of that norm are divided by so that their norm is at most `largest`.
double clipping_divisor(double norm, double largest);

/// Linear warm-up over warmup * total steps, then cosine to zero. `step` counts from 0.
double scheduled_learning_rate(std::int64_t step, std::int64_t total, double peak, double warmup);

}  // namespace masksc
