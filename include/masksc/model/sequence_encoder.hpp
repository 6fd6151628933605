// The sequence-level encoder (stage 1, contrastive-sc): linear 200 -> 40 -> 60 with batch norm and ReLU between.
//
// One network over all genes of a cell (groups = 1, inputs = G * P*P), or one small network a patch position
// (groups = G, inputs = P*P). Shapes: n rows, g groups, G tokens, P*P genes a patch.
#pragma once

#include <array>
#include <cstdint>

#include "masksc/dist/collectives.hpp"
#include "masksc/model/parameters.hpp"

namespace masksc {

struct SequenceShape {
  std::int64_t groups = 1;
  std::int64_t inputs = 0;  // genes of a group
  std::int64_t hidden1 = 200;
  std::int64_t hidden2 = 40;
  std::int64_t outputs = 60;
};

struct BatchStatistics;

class SequenceEncoder {
 public:
  SequenceEncoder(SequenceShape shape, std::uint64_t seed, std::uint32_t parameter_set, at::Device device);

  /// Training mode: batch norm over the global batch, running statistics updated (momentum 0.1). A collective, also in
  /// its backward pass. x [n, g * inputs], row_weights [n], `count` real rows over all ranks. Returns [g, n, outputs].
  at::Tensor train_forward(const at::Tensor& x, const at::Tensor& row_weights, std::int64_t count, Collectives& ranks);

  /// Moves the running statistics of norm `layer` (0, 1) by those of a batch of `count` rows.
  void track(std::size_t layer, const BatchStatistics& statistics, std::int64_t count);

  /// Frozen answer to whole rows: x [n, g * inputs] -> [n, g, outputs].
  [[nodiscard]] at::Tensor answer(const at::Tensor& x) const;
  /// Frozen answer to each patch alone, all other genes zero: patches [n, G, P*P] -> [n, G, outputs]. As the first
  /// layer is linear, all G answers of a cell are one grouped product.
  [[nodiscard]] at::Tensor patch_answers(const at::Tensor& patches) const;

  [[nodiscard]] const SequenceShape& shape() const { return shape_; }
  [[nodiscard]] FlatParameters& parameters() { return parameters_; }
  [[nodiscard]] const FlatParameters& parameters() const { return parameters_; }
  /// What files call the tensors of running(), in order.
  static constexpr std::array<const char*, 4> running_names = {"norm1.running_mean", "norm1.running_var",
                                                               "norm2.running_mean", "norm2.running_var"};
  /// Running mean and variance of the two batch norms: [4] tensors [g, 1, hidden].
  [[nodiscard]] std::array<at::Tensor, 4>& running() { return running_; }
  [[nodiscard]] const std::array<at::Tensor, 4>& running() const { return running_; }

 private:
  at::Tensor normalised(const at::Tensor& x, int layer, const at::Tensor& row_weights, std::int64_t count,
                        Collectives& ranks);
  [[nodiscard]] at::Tensor frozen_tail(const at::Tensor& hidden) const;

  SequenceShape shape_;
  FlatParameters parameters_;
  std::array<at::Tensor, 4> running_;
};

}  // namespace masksc
