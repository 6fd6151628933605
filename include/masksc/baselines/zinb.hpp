// The likelihood of the autoencoders for counts (dca, scDeepCluster, scziDesk): zero-inflated negative binomial.
#pragma once

#include <cstdint>
#include <span>

#include "masksc/core/types.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// The answers of a network's three heads before their activations, each [B cells, genes], float32, contiguous:
/// mean    -> m = clamp(exp(mean), 1e-5, 1e6); the counts' mean is m * size factor of the cell
/// inverse dispersion -> theta = clamp(softplus(theta), 1e-4, 1e4)
/// dropout -> pi = sigmoid(dropout), the chance that a count is zero for technical reasons
struct ZinbHeads {
  at::Tensor mean;
  at::Tensor theta;
  at::Tensor dropout;
};

struct ZinbResult {
  double loss = 0;     // mean over cells and genes of -log ZINB(count) + ridge * pi^2
  ZinbHeads gradient;  // of the loss by each of the heads, shapes as the heads
};

/// Eraslan et al. 2019, equations of "ZINB loss": -log(pi * [x = 0] + (1 - pi) NB(x; mean, theta)), NB with variance
/// mean + mean^2 / theta. `counts` holds the counts of all cells; row i of the heads belongs to cells[i], with
/// size_factors[i] > 0. Counts need not be whole numbers. All work but the few non-zero counts is LibTorch's.
ZinbResult zinb_loss(const ZinbHeads& heads, const CsrMatrix& counts, std::span<const std::int64_t> cells,
                     std::span<const float> size_factors, double ridge = 0);

/// The derivative of log(gamma(x)) for x > 0, to about 1e-10.
double digamma(double x);

}  // namespace masksc
