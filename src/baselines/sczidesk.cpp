// scziDesk: a denoising autoencoder for counts, trained further with a soft K-means and with the similarities of the
// cells of a batch.
#include <utility>

#include "clustering_phase.hpp"
#include "masksc/baselines/deep.hpp"
#include "masksc/train/optimizer.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

/// Mean over the cells of sum_k w_k d_k^2 with w = softmin of the distances, squared and scaled to sum 1 again.
at::Tensor soft_kmeans(const at::Tensor& z, const at::Tensor& centres) {
  const at::Tensor distances = squared_distances(z, centres);
  return (distances * at::softmax(-2 * distances, 1)).sum(1).mean();
}

/// Sum over the cells of KL(Q || P): P is a cell's Student-t similarity to the other cells, scaled to sum 1; Q is P
/// squared, scaled to sum 1. Gradients flow through both, as in its code.
at::Tensor self_training(const at::Tensor& z) {
  constexpr double never = -1e4;  // a cell with itself
  const at::Tensor similarity = squared_distances(z, z).log1p().neg() + never * at::eye(z.size(0), z.options());
  const at::Tensor log_p = at::log_softmax(similarity, 1);
  const at::Tensor log_q = at::log_softmax(2 * similarity, 1);
  return (log_q.exp() * (log_q - log_p)).sum();
}

/// The clustering phase; `labels` of the pretrained bottleneck `features` start it.
Clustered cluster(const ZinbAutoencoder& pretrained, const CountData& data, Clustered state,
                  const ScziDeskSettings& method, const BaselineSettings& settings) {
  ZinbAutoencoder autoencoder(pretrained, centres_of(state));
  AdamW adam(autoencoder.parameters(), {.beta1 = 0.9, .beta2 = 0.999, .weight_decay = 0});
  const std::vector<std::int64_t> cells = all_cells(data.rows.cells());
  const TrainingLength length{method.epochs, method.most_steps};
  const std::int64_t epochs = length.epochs_of(BatchPlan(std::ssize(cells), method.batch_size).steps);
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(method.pretrain_epochs + epoch);
    for_each_batch(
        cells, method.batch_size, settings.seed, number, settings.poll, [&](std::span<const std::int64_t> batch) {
          const NoiseKey noise{settings.seed, number, batch};
          const at::Tensor z = autoencoder.encode(data.rows.of(batch), &noise);
          const ZinbHeads heads = autoencoder.decode(z);
          const at::Tensor clustering =
              method.kmeans_weight * soft_kmeans(z, autoencoder.centres()) + method.self_weight * self_training(z);
          step_gradients(autoencoder, heads, loss_of(data, heads, batch, method.ridge), clustering, "scziDesk", epoch);
          adam.step(autoencoder.parameters(), method.learning_rate);
        });
    if (epoch % method.check_epochs != 0 && epoch != epochs) continue;
    state.features = bottleneck_of_all(autoencoder, data.rows, settings.poll);
    const at::Tensor distances = squared_distances(view_of(state.features), autoencoder.centres().detach());
    const std::vector<std::int32_t> before = std::exchange(state.labels, largest_columns(-distances));
    if (share_changed(before, state.labels) < method.tolerance) break;
  }
  return state;
}

}  // namespace

BaselineResult run_sczidesk(const BaselineInput& input, const BaselineSettings& settings,
                            const ScziDeskSettings& method) {
  const PretrainSettings pretraining{.method = "scziDesk",
                                     .length = {method.pretrain_epochs, method.pretrain_steps},
                                     .batch_size = method.batch_size,
                                     .learning_rate = method.learning_rate,
                                     .ridge = method.ridge};
  return pretrain_and_cluster(input, settings, method.noise, pretraining,
                              [&](const ZinbAutoencoder& pretrained, const CountData& data, Clustered start) {
                                return cluster(pretrained, data, std::move(start), method, settings);
                              });
}

Baseline sczidesk_baseline() {
  return {.name = "scziDesk",
          .title = "zero-inflated negative binomial autoencoder trained together with a weighted soft K-means",
          .source = "Chen et al. 2020",
          .published = {.matrix = "20x25", .genes = ""},  // the 500 most variable genes
          .run = [](const BaselineInput& input, const BaselineSettings& settings) {
            return run_sczidesk(input, settings, {});
          }};
}

}  // namespace masksc
