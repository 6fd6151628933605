// What the baselines that train a network share: batches of cells, noise, layers, and features of all cells.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/model/parameters.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// How long a network is trained: the published epochs, but no more than `most_steps` steps or least_epochs epochs,
/// whichever is more.
struct TrainingLength {
  std::int64_t epochs = 0;
  std::int64_t most_steps = 0;
  std::int64_t least_epochs = 10;
  [[nodiscard]] std::int64_t epochs_of(std::int64_t steps) const;
};

/// Standardised expression of chosen cells as float32 [cells, width()]: made dense as needed.
class CellRows {
 public:
  explicit CellRows(const Expression& expression) : expression_(expression), densifier_(expression) {}
  [[nodiscard]] std::int64_t cells() const { return expression_.values.rows; }
  [[nodiscard]] std::int64_t width() const { return densifier_.width(); }
  [[nodiscard]] at::Tensor of(std::span<const std::int64_t> cells) const;

 private:
  const Expression& expression_;
  Densifier densifier_;
};

/// 0, 1, ... cells - 1.
std::vector<std::int64_t> all_cells(std::int64_t cells);

/// A cell's total count over the median of the totals, at least 1e-6: what its expected counts are multiples of.
std::vector<float> size_factors(std::span<const float> totals);
/// Those of `cells`.
std::vector<float> gather(std::span<const float> values, std::span<const std::int64_t> cells);

/// One pass over `cells` in an order keyed by (seed, epoch), cut into nearly equal batches of at most `batch_size`.
/// Calls `poll` before each step.
void for_each_batch(std::vector<std::int64_t> cells, std::int64_t batch_size, std::uint64_t seed, std::uint32_t epoch,
                    const std::function<void()>& poll, const std::function<void(std::span<const std::int64_t>)>& step);

/// Names the draws of one application of noise to a batch.
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::span<const std::int64_t> cells;
};
/// Standard normal numbers [cells, width], keyed by (seed, epoch, cell, layer).
at::Tensor gaussian_noise(std::int64_t width, const NoiseKey& key, std::uint32_t layer);
/// 1 with probability `share`, otherwise 0: [cells, width], keyed the same way.
at::Tensor coin_flips(std::int64_t width, double share, const NoiseKey& key, std::uint32_t layer);

/// The two specs of a linear layer as Keras starts it (Glorot & Bengio 2010): weights uniform, biases zero.
void add_glorot_linear(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t in, std::int64_t out);
/// x [n, in] -> [n, out] by the layer of that name.
at::Tensor linear(const FlatParameters& parameters, const std::string& name, const at::Tensor& x);

/// The answers of `encode` to all cells, in blocks, without gradients.
DenseMatrix features_of_all(const CellRows& rows, const std::function<void()>& poll,
                            const std::function<at::Tensor(const at::Tensor&)>& encode);

/// Throws UserError that names the method when its loss is not finite.
void check_loss(double loss, const std::string& method, std::int64_t epoch);

}  // namespace masksc
