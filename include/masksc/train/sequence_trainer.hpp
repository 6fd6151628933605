// Stage 1: contrastive training of the sequence encoder over ranks, equal to training on one rank.
#pragma once

#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/settings.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/train/context.hpp"

namespace masksc {

/// Trains `encoder` in place: two dropout views of every cell, the contrastive loss over the global batch, Adam with a
/// cosine schedule by epoch. Always fp32. `name` is for progress. A collective.
/// Throws StopRequested (on all ranks at one step), UserError when the loss is not finite.
void train_sequence_encoder(SequenceEncoder& encoder, const Expression& expression, const SequenceSettings& settings,
                            std::uint64_t seed, const char* name, TrainContext& context);

}  // namespace masksc
