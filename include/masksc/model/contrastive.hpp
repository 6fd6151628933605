// Contrastive losses of stage 1 over the global batch, with their gradient for this rank's rows.
#pragma once

#include "masksc/dist/collectives.hpp"
#include "masksc/model/settings.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

struct ContrastiveResult {
  double loss = 0;       // mean over the groups and the cells of the global batch; the same on every rank
  at::Tensor gradient1;  // [g, n, d] of the loss summed over groups, for this rank's rows; 0 for padding rows
  at::Tensor gradient2;
};

/// The embeddings of all ranks are gathered (small), every rank computes the full loss and takes its own rows.
/// view1, view2 [g, n, d]: the two views of this rank's cells, of which the first `real` rows count. A collective.
///
/// eq1: anchors against the augmented views, one direction (Eq. 1 as printed):
///      -mean_i log exp(s(z_i, z'_i)/tau) / sum_j exp(s(z_i, z'_j)/tau), s the cosine.
/// ntxent: NT-Xent of contrastive-sc over the 2B views, each but itself.
ContrastiveResult contrastive_loss(const at::Tensor& view1, const at::Tensor& view2, std::int64_t real,
                                   ContrastiveLoss kind, double temperature, Collectives& ranks);

/// Rows (the last dimension) of length 1, as the loss compares them and as answers to whole cells are used.
at::Tensor unit_length(const at::Tensor& z);

}  // namespace masksc
