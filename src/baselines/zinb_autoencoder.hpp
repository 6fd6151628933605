// The autoencoder of dca, scDeepCluster and scziDesk: linear layers down to a narrow one and, mirrored, up again to
// three heads, the parameters of a zero-inflated negative binomial of every gene.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/baselines/zinb.hpp"
#include "neural.hpp"

namespace masksc {

struct AutoencoderShape {
  std::int64_t inputs = 0;           // width of the standardised rows
  std::int64_t genes = 0;            // columns of the counts
  std::vector<std::int64_t> widths;  // of the encoder's layers; the last one is the bottleneck
  bool batch_norm = false;           // before every ReLU, the bottleneck too, which has none without (dca)
  double noise = 0;                  // sd of the noise on the input and before the ReLUs of the encoder
  std::int64_t clusters = 0;         // of the parameter "centres" [clusters, bottleneck]; 0: none
};

class ZinbAutoencoder {
 public:
  ZinbAutoencoder(AutoencoderShape shape, std::uint64_t seed);
  /// A copy of `pretrained` with `centres` [clusters, bottleneck] as one more parameter.
  ZinbAutoencoder(const ZinbAutoencoder& pretrained, const at::Tensor& centres);

  /// x [n, inputs] -> the bottleneck [n, widths.back()], before batch norm. With `noise`: as in training.
  at::Tensor encode(const at::Tensor& x, const NoiseKey* noise = nullptr);
  /// The bottleneck -> heads. Batch norm by the batch, whose statistics are tracked.
  ZinbHeads decode(const at::Tensor& bottleneck, bool training = true);

  [[nodiscard]] FlatParameters& parameters() { return parameters_; }
  [[nodiscard]] const at::Tensor& centres() const { return parameters_.at("centres"); }
  [[nodiscard]] const AutoencoderShape& shape() const { return shape_; }

 private:
  at::Tensor activated(const at::Tensor& x, std::size_t layer, bool training);

  AutoencoderShape shape_;
  FlatParameters parameters_;
  std::vector<at::Tensor> running_;  // mean and variance of each layer's batch norm
};

/// What one step learns from: standardised rows, counts, and which cells.
struct CountData {
  const CellRows& rows;
  const CsrMatrix& counts;
  std::vector<float> factors;  // size factor of each cell
};

/// The loss of decoded heads on `cells`, and its gradients by the heads.
ZinbResult loss_of(const CountData& data, const ZinbHeads& heads, std::span<const std::int64_t> cells,
                   double ridge = 0);

/// A training step's gradients, left in the autoencoder's parameters: the likelihood's at `heads`, and those of
/// `more`, a scalar added to it, where it is defined. Throws UserError that names `method` when a loss is not finite.
void step_gradients(ZinbAutoencoder& autoencoder, const ZinbHeads& heads, const ZinbResult& likelihood,
                    const at::Tensor& more, const std::string& method, std::int64_t epoch);

struct PretrainSettings {
  std::string method;  // for messages
  TrainingLength length;
  std::int64_t batch_size = 256;
  double learning_rate = 1e-3;
  double ridge = 0;
};
/// Trains by the likelihood alone, with Adam.
void pretrain(ZinbAutoencoder& autoencoder, const CountData& data, const PretrainSettings& settings,
              const BaselineSettings& run);

}  // namespace masksc
