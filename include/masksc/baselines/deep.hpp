// The baselines that train a network, with their settings: the defaults are as published, but for the caps that are
// named here. registry.cpp lists them with the defaults.
#pragma once

#include <cstdint>

#include "masksc/baselines/baseline.hpp"
#include "masksc/model/settings.hpp"

namespace masksc {

/// Eraslan et al. 2019, and its code's defaults. Ends when the validation loss has not fallen for stop_patience epochs.
struct DcaSettings {
  std::int64_t epochs = 300;
  std::int64_t most_steps =
      12'000;  // cap: about 100 epochs of 4,000 cells (but at least 10); training mostly ends before
  std::int64_t batch_size = 32;
  double learning_rate = 1e-3;        // RMSprop
  double clip = 5;                    // of each gradient
  double validation = 0.1;            // share of the cells that are kept back
  std::int64_t reduce_patience = 10;  // epochs without a lower validation loss until the rate falls to a tenth
  std::int64_t stop_patience = 15;
};
BaselineResult run_dca(const BaselineInput& input, const BaselineSettings& settings, const DcaSettings& dca);

/// Tian et al. 2019. The pretrained bottleneck's K-means centres start the clustering: the autoencoder and the centres
/// are trained by the likelihood plus gamma * KL(P || Q), where Q is each cell's Student-t kernel to the centres and P
/// is Q sharpened, and each cell belongs to the centre of its largest Q. It ends when fewer than `tolerance` of the
/// cells change between two epochs.
struct ScDeepClusterSettings {
  std::int64_t pretrain_epochs = 400;  // Adam (published: with AMSGrad)
  std::int64_t pretrain_steps = 1700;  // cap: 100 epochs of 4,000 cells
  std::int64_t epochs = 1000;          // Adadelta
  std::int64_t most_steps = 850;       // cap: 50 epochs of 4,000 cells
  std::int64_t batch_size = 256;
  double learning_rate = 1e-3;  // of Adam
  double noise = 2.5;
  double gamma = 1;
  double tolerance = 1e-3;
};
BaselineResult run_scdeepcluster(const BaselineInput& input, const BaselineSettings& settings,
                                 const ScDeepClusterSettings& method);

/// Chen et al. 2020, and its code's defaults. As scDeepCluster, but clustered by a soft K-means, whose weights are
/// softmax(-2 d^2) of the squared distances d^2 to the centres, and a self-training of the cells of a batch: KL(Q || P)
/// of their Student-t similarities P and P sharpened.
struct ScziDeskSettings {
  std::int64_t pretrain_epochs = 1000;
  std::int64_t pretrain_steps = 1700;  // cap: 100 epochs of 4,000 cells
  std::int64_t epochs = 2000;
  std::int64_t most_steps = 850;  // cap: 50 epochs of 4,000 cells
  std::int64_t batch_size = 256;
  double learning_rate = 1e-4;  // Adam
  double noise = 1.5;
  double ridge = 1;             // on the chance of dropout, in the likelihood
  double kmeans_weight = 1e-3;  // alpha
  double self_weight = 1e-3;    // gamma
  std::int64_t check_epochs = 10;
  double tolerance = 1e-3;  // share of changed labels between two checks that ends it
};
BaselineResult run_sczidesk(const BaselineInput& input, const BaselineSettings& settings,
                            const ScziDeskSettings& method);

/// Ciortan & Defrance 2021: the sequence encoder of stage 1, its answer to the whole cell scaled to length 1.
BaselineResult run_contrastive_sc(const BaselineInput& input, const BaselineSettings& settings,
                                  const SequenceSettings& sequence);

/// Fang et al. 2024, and its code's settings: genes of a cell replaced by those of another cell of the batch, which
/// genes these are is predicted, and the cell is reconstructed.
struct ScMaeSettings {
  std::int64_t epochs = 81;  // its features are taken after epoch 80, counted from 0
  std::int64_t batch_size = 256;
  double learning_rate = 1e-3;  // Adam
  double mask = 0.4;            // chance of a gene to be replaced
  double masked_weight = 0.75;  // of replaced genes in the reconstruction; others have 1 - this
  double mask_loss = 0.7;       // weight of the prediction of the mask; the reconstruction has 1 - this
};
BaselineResult run_scmae(const BaselineInput& input, const BaselineSettings& settings, const ScMaeSettings& scmae);

}  // namespace masksc
