// scDeepCluster: a denoising autoencoder for counts, trained further together with cluster centres.
#include <utility>

#include "clustering_phase.hpp"
#include "masksc/baselines/deep.hpp"
#include "methods.hpp"
#include "published_optimizers.hpp"

namespace masksc {
namespace {

/// Q [n, clusters]: Student's t with one degree of freedom, each row's sum 1.
at::Tensor soft_labels(const at::Tensor& z, const at::Tensor& centres) {
  const at::Tensor kernel = 1 / (1 + squared_distances(z, centres));
  return kernel / kernel.sum(1, true);
}

/// P: Q squared over the size of each cluster, each row's sum 1.
at::Tensor sharpened(const at::Tensor& q) {
  const at::Tensor weight = q.square() / q.sum(0);
  return weight / weight.sum(1, true);
}

/// Mean over the cells of KL(P || Q).
at::Tensor divergence(const at::Tensor& p, const at::Tensor& q) {
  constexpr double least = 1e-7;  // Keras' epsilon
  return (p * (p.clamp_min(least).log() - q.clamp_min(least).log())).sum(1).mean();
}

/// The clustering phase; `labels` of the pretrained bottleneck `features` start it.
Clustered cluster(const ZinbAutoencoder& pretrained, const CountData& data, Clustered state,
                  const ScDeepClusterSettings& method, const BaselineSettings& settings) {
  ZinbAutoencoder autoencoder(pretrained, centres_of(state));
  Adadelta optimizer(autoencoder.parameters());
  const std::vector<std::int64_t> cells = all_cells(data.rows.cells());
  const TrainingLength length{method.epochs, method.most_steps};
  const std::int64_t epochs = length.epochs_of(BatchPlan(std::ssize(cells), method.batch_size).steps);
  for (std::int64_t epoch = 0; epoch <= epochs; ++epoch) {
    state.features = bottleneck_of_all(autoencoder, data.rows, settings.poll);
    const at::Tensor q = soft_labels(view_of(state.features), autoencoder.centres().detach());
    const std::vector<std::int32_t> before = std::exchange(state.labels, largest_columns(q));
    if (epoch == epochs || (epoch > 0 && share_changed(before, state.labels) < method.tolerance)) break;

    const at::Tensor targets = sharpened(q);
    const auto number = static_cast<std::uint32_t>(method.pretrain_epochs + epoch);
    for_each_batch(
        cells, method.batch_size, settings.seed, number, settings.poll, [&](std::span<const std::int64_t> batch) {
          const NoiseKey noise{settings.seed, number, batch};
          const at::Tensor x = data.rows.of(batch);
          const ZinbHeads heads = autoencoder.decode(autoencoder.encode(x, &noise));
          const at::Tensor p =
              targets.index_select(0, at::tensor(at::ArrayRef<std::int64_t>(batch.data(), batch.size())));
          const at::Tensor kl = divergence(p, soft_labels(autoencoder.encode(x), autoencoder.centres()));
          step_gradients(autoencoder, heads, loss_of(data, heads, batch), method.gamma * kl, "scdeepcluster", epoch);
          optimizer.step(autoencoder.parameters());
        });
  }
  return state;
}

}  // namespace

BaselineResult run_scdeepcluster(const BaselineInput& input, const BaselineSettings& settings,
                                 const ScDeepClusterSettings& method) {
  const PretrainSettings pretraining{.method = "scdeepcluster",
                                     .length = {method.pretrain_epochs, method.pretrain_steps},
                                     .batch_size = method.batch_size,
                                     .learning_rate = method.learning_rate};
  return pretrain_and_cluster(input, settings, method.noise, pretraining,
                              [&](const ZinbAutoencoder& pretrained, const CountData& data, Clustered start) {
                                return cluster(pretrained, data, std::move(start), method, settings);
                              });
}

Baseline scdeepcluster_baseline() {
  return {.name = "scdeepcluster",
          .title = "zero-inflated negative binomial autoencoder trained together with Student-t cluster centres",
          .source = "Tian et al. 2019",
          .published = {.matrix = "40x50", .genes = ""},  // the 2000 most variable genes of its PyTorch port
          .run = [](const BaselineInput& input, const BaselineSettings& settings) {
            return run_scdeepcluster(input, settings, {});
          }};
}

}  // namespace masksc
