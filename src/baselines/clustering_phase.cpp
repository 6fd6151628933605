#include "clustering_phase.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "masksc/baselines/features.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

BaselineResult pretrain_and_cluster(const BaselineInput& input, const BaselineSettings& settings, double noise,
                                    const PretrainSettings& pretraining, const ClusteringPhase& phase) {
  const CellRows rows(input.expression);
  const CountData data{rows, input.counts, size_factors(input.totals)};
  ZinbAutoencoder autoencoder(
      {.inputs = rows.width(), .genes = input.counts.columns, .widths = {256, 64, 32}, .noise = noise}, settings.seed);
  pretrain(autoencoder, data, pretraining, settings);
  const DenseMatrix pretrained = bottleneck_of_all(autoencoder, rows, settings.poll);
  BaselineResult result;
  for (std::vector<std::int32_t>& start : labels_of_features(pretrained, settings)) {
    Clustered clustered = phase(autoencoder, data, {pretrained, std::move(start)});
    number_by_size(clustered.labels, *single_rank());
    if (result.labels.empty()) result.features = std::move(clustered.features);
    result.labels.push_back(std::move(clustered.labels));
  }
  return result;
}

DenseMatrix bottleneck_of_all(ZinbAutoencoder& autoencoder, const CellRows& rows, const std::function<void()>& poll) {
  return features_of_all(rows, poll, [&](const at::Tensor& x) { return autoencoder.encode(x); });
}

at::Tensor view_of(const DenseMatrix& matrix) {
  return at::from_blob(const_cast<float*>(matrix.values.data()), {matrix.rows, matrix.columns}, at::kFloat);
}

at::Tensor squared_distances(const at::Tensor& z, const at::Tensor& centres) {
  const at::Tensor products = at::mm(z, centres.t());
  return (z.square().sum(1, true) + centres.square().sum(1) - 2 * products).clamp_min(0);
}

std::vector<std::int32_t> largest_columns(const at::Tensor& values) {
  const at::Tensor columns = values.argmax(1).to(at::kInt).contiguous();
  return {columns.data_ptr<std::int32_t>(), columns.data_ptr<std::int32_t>() + columns.numel()};
}

double share_changed(const std::vector<std::int32_t>& before, const std::vector<std::int32_t>& now) {
  const auto changed = std::inner_product(before.begin(), before.end(), now.begin(), std::int64_t{0}, std::plus<>(),
                                          [](std::int32_t a, std::int32_t b) { return a == b ? 0 : 1; });
  return static_cast<double>(changed) / static_cast<double>(std::max<std::size_t>(before.size(), 1));
}

at::Tensor centres_of(const Clustered& clustered) {
  const std::vector<std::int32_t>& labels = clustered.labels;
  const std::int64_t clusters = *std::max_element(labels.begin(), labels.end()) + 1;
  const at::Tensor codes = at::tensor(std::vector<std::int64_t>(labels.begin(), labels.end()));
  const at::Tensor sums =
      at::zeros({clusters, clustered.features.columns}, at::kFloat).index_add_(0, codes, view_of(clustered.features));
  return sums / at::bincount(codes, {}, clusters).to(at::kFloat).unsqueeze(1);
}

}  // namespace masksc
