// The methods that, after pretraining an autoencoder, train it further together with cluster centres (scDeepCluster,
// scziDesk): pretrained once, clustered for each number of clusters from K-means on the pretrained bottleneck.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "zinb_autoencoder.hpp"

namespace masksc {

struct Clustered {
  DenseMatrix features;              // [cells, bottleneck]
  std::vector<std::int32_t> labels;  // 0 to clusters - 1
};

/// From the pretrained autoencoder, its features and their K-means labels to those of the clustering phase.
using ClusteringPhase = std::function<Clustered(const ZinbAutoencoder& pretrained, const CountData& data, Clustered)>;

/// An autoencoder 256-64-32 with noise of sd `noise`; where the number is to be estimated, it is the one that its
/// bottleneck gives. The features are those of the first number of clusters.
BaselineResult pretrain_and_cluster(const BaselineInput& input, const BaselineSettings& settings, double noise,
                                    const PretrainSettings& pretraining, const ClusteringPhase& phase);

/// The bottleneck of all cells, without noise.
DenseMatrix bottleneck_of_all(ZinbAutoencoder& autoencoder, const CellRows& rows, const std::function<void()>& poll);

/// A tensor of the matrix' own memory.
at::Tensor view_of(const DenseMatrix& matrix);
/// Squared Euclidean distances [n, clusters] of z [n, d] to centres [clusters, d], with gradients.
at::Tensor squared_distances(const at::Tensor& z, const at::Tensor& centres);
/// The column of the largest value of each row.
std::vector<std::int32_t> largest_columns(const at::Tensor& values);
/// The share of the labels that differ.
double share_changed(const std::vector<std::int32_t>& before, const std::vector<std::int32_t>& now);
/// The mean of the features of each cluster: [clusters, columns]. None of them may be empty.
at::Tensor centres_of(const Clustered& clustered);

}  // namespace masksc
