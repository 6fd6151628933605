// contrastive-sc: two dropout views of every cell, a contrastive loss, K-means on the answers scaled to length 1.
#include "masksc/baselines/deep.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/sequence_encoder.hpp"
#include "masksc/train/sequence_trainer.hpp"
#include "methods.hpp"
#include "neural.hpp"

namespace masksc {

BaselineResult run_contrastive_sc(const BaselineInput& input, const BaselineSettings& settings,
                                  const SequenceSettings& sequence) {
  constexpr std::uint32_t parameter_set = 1;  // that of the pipeline's encoder of whole cells
  const CellRows rows(input.expression);
  const std::unique_ptr<Collectives> alone = single_rank();
  SequenceEncoder encoder({.groups = 1, .inputs = rows.width()}, settings.seed, parameter_set, at::kCPU);
  RunLog no_log;
  TrainContext context{*alone, no_log};
  train_sequence_encoder(
      encoder, {.expression = input.expression, .settings = sequence, .seed = settings.seed, .poll = settings.poll},
      context);
  BaselineResult result;
  result.features = features_of_all(rows, settings.poll,
                                    [&](const at::Tensor& x) { return unit_length(encoder.answer(x).squeeze(1)); });
  result.labels = labels_of_features(result.features, settings);
  return result;
}

Baseline contrastive_sc_baseline() {
  return {.name = "contrastive-sc",
          .title = "K-means on an encoder trained to know a cell again under dropout of its genes",
          .source = "Ciortan and Defrance 2021",
          .published = {.matrix = "20x25", .genes = ""},  // the 500 most variable genes
          .run = [](const BaselineInput& input, const BaselineSettings& settings) {
            return run_contrastive_sc(input, settings, {});
          }};
}

}  // namespace masksc
