// Tensors across ranks: all-reduce, and batch norm whose statistics and gradients are those of the global batch.
#pragma once

#include "masksc/dist/collectives.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// Sums a contiguous float32 or float64 tensor over ranks, in place; through host memory when it lies on a device.
void all_reduce(Collectives& ranks, const at::Tensor& tensor);

/// The same by a binary tree over ranks (see dist/tree_sum.hpp).
void tree_all_reduce(Collectives& ranks, const at::Tensor& tensor);

/// `tensor` (float32) of rank 0 on every rank.
void broadcast(Collectives& ranks, const at::Tensor& tensor);

/// Mean and biased variance over the global batch. x [g, n, c], row_weights [n] (0 for padding), `count` = their global
/// sum. Both results are [g, 1, c] without gradient.
struct BatchStatistics {
  at::Tensor mean;
  at::Tensor variance;
};
BatchStatistics batch_statistics(const at::Tensor& x, const at::Tensor& row_weights, std::int64_t count,
                                 Collectives& ranks);

/// gamma (x - mean) / sqrt(variance + 1e-5) + beta with the statistics of the global batch; in the backward pass the
/// gradients through the statistics are all-reduced too (a collective). gamma, beta [g, 1, c].
at::Tensor distributed_batch_norm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                  const BatchStatistics& statistics, const at::Tensor& row_weights, std::int64_t count,
                                  Collectives& ranks);

constexpr double batch_norm_epsilon = 1e-5;

}  // namespace masksc
