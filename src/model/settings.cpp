#include "masksc/model/settings.hpp"

#include <fmt/format.h>

#include "masksc/core/error.hpp"

namespace masksc {
void describe(OptionTable& table, ModelSettings& s) {
  table.begin_group("Model");
  table.add("dim", s.dim, "features of a token");
  table.add("encoder-depth", s.encoder_depth, "transformer blocks of the encoder");
  table.add("encoder-heads", s.encoder_heads, "attention heads of the encoder");
  table.add("decoder-depth", s.decoder_depth, "transformer blocks of the decoder");
  table.add("decoder-heads", s.decoder_heads, "attention heads of the decoder");
  table.add_choice(
      "decoder", s.decoder, {{"full", Decoder::full}, {"cross", Decoder::cross}},
      "what it computes: all tokens, as the paper; or the masked ones alone, which attend to the visible ones");
  table.add("mask-ratio", s.mask_ratio, "share of the tokens that are masked, between 0 and 1");
  table.add_choice("positions", s.positions, {{"learned", Positions::learned}, {"sincos", Positions::sincos}},
                   "position embeddings");
  table.add("dropout", s.dropout, "dropout on the residual branches, from 0 to below 1");
}

void describe(OptionTable& table, SequenceSettings& s) {
  table.begin_group("Sequence encoder (stage 1)");
  table.add("sequence-epochs", s.epochs, "epochs of contrastive training");
  table.add("sequence-batch-size", s.batch_size, "cells of a global batch");
  table.add("sequence-learning-rate", s.learning_rate, "learning rate of Adam");
  table.add("sequence-dropout", s.dropout, "dropout on the input that makes the two views, from 0 to below 1");
  table.add("temperature", s.temperature, "temperature of the contrastive loss");
  table.add_choice("contrastive-loss", s.loss, {{"eq1", ContrastiveLoss::eq1}, {"ntxent", ContrastiveLoss::ntxent}},
                   "the paper's Eq. 1 as printed, or NT-Xent of contrastive-sc");
  table.begin_group("Sequence encoder (stage 1)", OptionRole::path);
  table.add("sequence-model", s.model, "take the frozen encoder of another run (its model folder)", "DIR");
}

void describe(OptionTable& table, TargetSettings& s) {
  table.begin_group("Targets");
  table.add_choice("target", s.target,
                   {{"contrastive", Target::contrastive}, {"patch", Target::patch}, {"raw", Target::raw}},
                   "what a masked patch predicts: the sequence encoder's answer, that of a small encoder a patch, or "
                   "expression");
  table.add("guidance", s.guidance, "weight of predicting the whole cell beside the masked tokens (0 leaves it out)");
  table.add_choice("guidance-token", s.guidance_token,
                   {{"mean", GuidanceToken::mean}, {"global", GuidanceToken::global}},
                   "what predicts the whole cell: the mean of the encoded tokens, or the decoder's global token");
  table.add_choice(
      "guidance-target", s.guidance_target,
      {{"auto", GuidanceTarget::automatic},
       {"sequence", GuidanceTarget::sequence},
       {"components", GuidanceTarget::components},
       {"both", GuidanceTarget::both}},
      "what it predicts of the whole cell: the sequence encoder's answer, 20 principal components, both; auto: "
      "components where the answers show no groups of cells, both where they show weaker ones than these");
}

void validate(const ModelSettings& s) {
  require_at_least("dim", s.dim, 1);
  require_at_least("encoder-depth", s.encoder_depth, 1);
  require_at_least("decoder-depth", s.decoder_depth, 0);
  for (const auto& [option, heads] :
       {std::pair{"encoder-heads", s.encoder_heads}, std::pair{"decoder-heads", s.decoder_heads}}) {
    require_at_least(option, heads, 1);
    if (s.dim % heads != 0)
      throw UserError(fmt::format("--dim {} must be a multiple of --{} {}", s.dim, option, heads));
  }
  if (!(s.mask_ratio > 0 && s.mask_ratio < 1))
    throw UserError(fmt::format("--mask-ratio must lie between 0 and 1, not {}", s.mask_ratio));
  if (s.positions == Positions::sincos && s.dim % 4 != 0)
    throw UserError(fmt::format("--positions sincos needs a --dim divisible by 4, not {}", s.dim));
  require_fraction("dropout", s.dropout);
}

void validate(const SequenceSettings& s) {
  require_within("sequence-epochs", s.epochs, 1, kMostEpochs);
  require_at_least("sequence-batch-size", s.batch_size, 2);
  require_positive("sequence-learning-rate", s.learning_rate);
  require_positive("temperature", s.temperature);
  require_fraction("sequence-dropout", s.dropout);
}

void validate(const TargetSettings& s) { require_not_negative("guidance", s.guidance); }

}  // namespace masksc
