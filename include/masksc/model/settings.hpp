// Settings of the two models: the masked autoencoder (stage 2) and the sequence encoder (stage 1), and of the targets.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/options.hpp"

namespace masksc {

constexpr std::int64_t kMostEpochs = 1'000'000'000;  // an epoch is a 32-bit key of random numbers

enum class Positions { learned, sincos };

/// What the decoder works on: the paper's, all tokens attending to all; or the masked ones alone, attending to what the
/// encoder saw of the cell (CrossMAE).
enum class Decoder { full, cross };

struct ModelSettings {
  std::int64_t dim = 128;          // features of a token, D
  std::int64_t encoder_depth = 4;  // transformer blocks
  std::int64_t encoder_heads = 4;
  std::int64_t decoder_depth = 2;
  std::int64_t decoder_heads = 4;
  Decoder decoder = Decoder::full;
  double mask_ratio = 0.5;  // share of the tokens that are masked
  Positions positions = Positions::learned;
  double dropout = 0;  // on the residual branches; 0 in the paper
};

/// Gradient checkpointing: blocks of a segment that is computed again in the backward pass; 0 keeps all activations.
struct Recompute {
  std::int64_t encoder_blocks = 0;
  std::int64_t decoder_blocks = 0;
};

enum class ContrastiveLoss { eq1, ntxent };

struct SequenceSettings {
  std::int64_t epochs = 30;
  std::int64_t batch_size = 200;  // global
  double learning_rate = 1e-3;    // Adam, cosine by epoch
  double dropout = 0.9;           // on the input; makes the two views
  double temperature = 0.07;
  ContrastiveLoss loss = ContrastiveLoss::ntxent;
  std::string model;  // folder of another run's model: take its frozen encoder
};

enum class Target { contrastive, patch, raw };
enum class GuidanceToken { mean, global };
enum class GuidanceTarget {
  automatic,   // one of the others, see decide_guidance
  sequence,    // the sequence encoder's answer
  components,  // principal components
  both,
};

/// Principal components that guide, where there are as many genes.
inline constexpr std::int64_t kGuidanceComponents = 20;

struct TargetSettings {
  Target target = Target::contrastive;
  double guidance = 3;  // weight of the whole-cell term; 0 is the paper's loss
  GuidanceToken guidance_token = GuidanceToken::mean;
  GuidanceTarget guidance_target = GuidanceTarget::automatic;
};

void describe(OptionTable& table, ModelSettings& settings);
void describe(OptionTable& table, SequenceSettings& settings);
void describe(OptionTable& table, TargetSettings& settings);

/// Throw UserError on values that make no model.
void validate(const ModelSettings& settings);
void validate(const SequenceSettings& settings);
void validate(const TargetSettings& settings);

}  // namespace masksc
