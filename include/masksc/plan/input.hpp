// All that a plan depends on, as plain numbers; `run` fills it from the options.
//
// G tokens, U visible, M = G - U masked, P*P genes a patch, D features, T target features, H heads, N ranks.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/data/epoch_order.hpp"
#include "masksc/plan/presets.hpp"

namespace masksc {

enum class PlanPrecision { fp32, half };  // half: bf16 or fp16 with fp32 master weights

/// Transformer blocks of one width.
struct PlanStack {
  std::int64_t depth = 0;
  std::int64_t heads = 1;
  std::int64_t recompute_every = 0;  // blocks between two activations that are kept; 0 keeps all
};

/// The frozen sequence encoder: P*P (or all) genes -> hidden1 -> hidden2 -> outputs.
struct PlanSequenceEncoder {
  std::int64_t hidden1 = 200;
  std::int64_t hidden2 = 40;
  std::int64_t outputs = 60;
};

struct PlanInput {
  // model
  std::int64_t patch_genes = 0;         // P*P
  std::int64_t tokens = 0;              // G
  std::int64_t visible = 0;             // U
  std::int64_t target_features = 0;     // T
  std::int64_t teacher_features = 0;    // 0 without guidance
  std::int64_t teacher_components = 0;  // of these, principal components
  std::int64_t dim = 0;                 // D
  PlanStack encoder;
  PlanStack decoder;
  std::int64_t last_queries = 0;  // tokens that the decoder's last block computes; 0: all
  bool cross_decoder = false;  // all its blocks compute the M + 1 tokens only, which attend to the U + 1 encoded ones
  bool learned_positions = true;
  bool dropout = false;
  bool sequence_targets = true;  // targets are a sequence encoder's answers to patches, not raw expression
  PlanSequenceEncoder sequence;

  // training
  std::int64_t cells = 0;
  std::int64_t epochs = 1;
  std::int64_t max_steps = 0;    // 0: all epochs
  std::int64_t batch = 0;        // global
  std::int64_t micro_batch = 0;  // of a rank; 0: the rank's whole batch
  PlanPrecision precision = PlanPrecision::fp32;
  bool attention_weights = false;  // all of them are kept for the backward pass, not their log sums alone
  bool shard_optimizer = false;
  bool deterministic = false;  // costs what no plan tells
  bool async_checkpoint = false;
  std::int64_t gradient_copies = 1;  // virtual shards of a rank
  double reduce_bytes = 4;           // of a gradient on its way
  double bucket_bytes = 25 << 20;    // of one all-reduce

  // counts in host memory
  std::int64_t nonzeros = 0;  // counts that are not 0
  double resident_bytes = 0;  // of them on every device
  Shuffle shuffle;
  double host_budget = 0;  // bytes of counts that a rank may hold; 0: what is free when the run begins

  // machine
  std::int64_t ranks = 1;
  std::int64_t gpus_per_node = 1;
  std::string device_name;
  std::string network_name;
  DeviceNumbers device;
  NetworkNumbers network;  // of a node, all its links together
  double utilization = 0.35;
  double overlap = 0.9;

  [[nodiscard]] std::int64_t masked() const { return tokens - visible; }
  [[nodiscard]] double peak() const { return precision == PlanPrecision::half ? device.half_flops : device.fp32_flops; }
  /// Bytes of an activation.
  [[nodiscard]] double element_bytes() const { return precision == PlanPrecision::half ? 2 : 4; }
};

/// Throws UserError for numbers that make no plan, such as fewer cells of a batch than ranks.
void validate(const PlanInput& input);

}  // namespace masksc
