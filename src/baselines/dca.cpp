// dca: a zero-inflated negative binomial autoencoder 64-32-64 with batch norm, RMSprop, early stopping on held-back
// cells. Its bottleneck, before batch norm, is clustered.
#include <algorithm>
#include <limits>

#include "masksc/baselines/deep.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/random.hpp"
#include "methods.hpp"
#include "published_optimizers.hpp"
#include "zinb_autoencoder.hpp"

namespace masksc {
namespace {

/// Cells to learn from and cells kept back, drawn by the seed (dca keeps back the file's last tenth).
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> held;
};

Split split_cells(std::int64_t cells, double share, std::uint64_t seed) {
  const std::vector<std::int64_t> order = random_permutation(cells, seed, Purpose::sampling, 0);
  const auto held = static_cast<std::ptrdiff_t>(share * static_cast<double>(cells));
  Split split{{order.begin() + held, order.end()}, {order.begin(), order.begin() + held}};
  std::sort(split.train.begin(), split.train.end());
  return split;
}

/// The rate falls, and training ends, by the validation loss.
struct Plateau {
  double best = std::numeric_limits<double>::infinity();
  std::int64_t since_best = 0;
  std::int64_t until_reduction = 0;

  /// Whether training goes on.
  bool update(double loss, const DcaSettings& settings, double& learning_rate) {
    if (loss < best) {
      best = loss;
      since_best = until_reduction = 0;
      return true;
    }
    ++since_best;
    if (++until_reduction >= settings.reduce_patience) {
      learning_rate *= 0.1;
      until_reduction = 0;
    }
    return since_best < settings.stop_patience;
  }
};

double validation_loss(ZinbAutoencoder& autoencoder, const CountData& data, const std::vector<std::int64_t>& cells) {
  const at::NoGradGuard no_gradient;
  constexpr std::size_t block = 1024;
  double sum = 0;
  for (std::size_t first = 0; first < cells.size(); first += block) {
    const auto batch = std::span(cells).subspan(first, std::min(block, cells.size() - first));
    const ZinbHeads heads = autoencoder.decode(autoencoder.encode(data.rows.of(batch)), /*training=*/false);
    sum += loss_of(data, heads, batch).loss * static_cast<double>(batch.size());
  }
  return sum / static_cast<double>(cells.size());
}

void train(ZinbAutoencoder& autoencoder, const CountData& data, const DcaSettings& dca,
           const BaselineSettings& settings) {
  const Split split = split_cells(data.rows.cells(), dca.validation, settings.seed);
  RmsProp optimizer(autoencoder.parameters());
  Plateau plateau;
  double learning_rate = dca.learning_rate;
  const TrainingLength length{dca.epochs, dca.most_steps};
  const std::int64_t epochs = length.epochs_of(BatchPlan(std::ssize(split.train), dca.batch_size).steps);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(epoch);
    for_each_batch(split.train, dca.batch_size, settings.seed, number, settings.poll,
                   [&](std::span<const std::int64_t> batch) {
                     const NoiseKey training{settings.seed, number, batch};
                     const ZinbHeads heads = autoencoder.decode(autoencoder.encode(data.rows.of(batch), &training));
                     const ZinbResult result = loss_of(data, heads, batch);
                     step_gradients(autoencoder, heads, result, {}, "dca", epoch);
                     optimizer.step(autoencoder.parameters(), learning_rate, dca.clip);
                   });
    if (split.held.empty()) continue;
    if (!plateau.update(validation_loss(autoencoder, data, split.held), dca, learning_rate)) break;
  }
}

}  // namespace

BaselineResult run_dca(const BaselineInput& input, const BaselineSettings& settings, const DcaSettings& dca) {
  const CellRows rows(input.expression);
  const CountData data{rows, input.counts, size_factors(input.totals)};
  ZinbAutoencoder autoencoder(
      {.inputs = rows.width(), .genes = input.counts.columns, .widths = {64, 32}, .batch_norm = true}, settings.seed);
  train(autoencoder, data, dca, settings);
  BaselineResult result;
  result.features = features_of_all(rows, settings.poll, [&](const at::Tensor& x) { return autoencoder.encode(x); });
  result.labels = labels_of_features(result.features, settings);
  return result;
}

Baseline dca_baseline() {
  return {
      .name = "dca",
      .title = "K-means on the bottleneck of a zero-inflated negative binomial autoencoder",
      .source = "Eraslan et al. 2019",
      .published = {.matrix = "64x64", .genes = ""},  // all genes there; here the 4096 most variable ones, for time
      .run = [](const BaselineInput& input, const BaselineSettings& settings) { return run_dca(input, settings, {}); }};
}

}  // namespace masksc
