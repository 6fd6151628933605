#include "masksc/train/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/dist/tree_sum.hpp"

namespace masksc {
namespace {

constexpr std::int64_t most_shards = 1024;

std::int64_t parse_count(const char* option, const std::string& value, std::string_view digits) {
  const auto count = number_of<std::int64_t>(digits);
  if (!count || *count < 1)
    throw UserError(fmt::format("--{} {}: '{}' is not a whole number above 0", option, value, digits));
  return *count;
}

}  // namespace

void describe(OptionTable& table, TrainSettings& s) {
  table.begin_group("Training (stage 2)");
  table.add("epochs", s.epochs, "passes over all cells; a finished run continues when given more");
  table.add("max-steps", s.max_steps, "stop after so many steps (0: all epochs)");
  table.add("batch-size", s.batch_size, "cells of a global batch, over all ranks");
  table.add("learning-rate", s.learning_rate, "peak learning rate of AdamW; warm-up, then cosine");
  table.add("weight-decay", s.weight_decay, "decay of matrices (not of biases, norms and tokens)");
  table.add("warmup", s.warmup, "share of the steps with a rising learning rate, from 0 to 1");
  table.add("clip", s.clip, "largest norm of the gradient");
  table.add("seed", s.seed, "seed of everything random");
  table.add("precision", s.precision, "arithmetic of stage 2; auto: bf16 on a GPU, fp32 on a CPU",
            "auto|fp32|bf16|fp16");
  table.add("reduce-precision", s.reduce_precision, "in which gradients travel and add up", "fp32|bf16");
  table.add_switch("deterministic", s.deterministic,
                   "the same bits on any number of ranks that divides --virtual-shards");
  table.add("virtual-shards", s.virtual_shards,
            "parts of a global batch that --deterministic sums by a binary tree; a power of two");
}

void describe(OptionTable& table, EngineSettings& s) {
  table.begin_group("Engine", OptionRole::runtime);
  table.add("micro-batch", s.micro_batch, "cells of a pass on a rank; a step may take several (0: chosen)");
  table.add("gradient-checkpointing", s.gradient_checkpointing,
            "compute activations again in the backward pass: every block, or N blocks at a time",
            "none|blocks|every=N");
  table.add("encoder-checkpointing", s.encoder_checkpointing, "for the encoder alone", "same|none|blocks|every=N");
  table.add("decoder-checkpointing", s.decoder_checkpointing, "for the decoder alone", "same|none|blocks|every=N");
  table.add("bucket-mib", s.bucket_mib,
            "gradients that travel together during the backward pass, in MiB (0: an eighth of all, .25 to 25)");
  table.add_switch("shard-optimizer", s.shard_optimizer, "each rank keeps its share of the optimizer's state (ZeRO 1)");
  table.add_switch(
      "cuda-graph", s.cuda_graph,
      "record the operations of a pass and start them whole (GPU): for passes that the host is too slow for");
  table.add(
      "data-on-device", s.data_on_device,
      "the rows of all cells stay on every rank's device, where batches are made; auto: on a GPU, where they take a "
      "quarter of its memory at most",
      "auto|yes|no");
  table.add("profile", s.profile, "write a Chrome trace of these steps to DIR/trace-RANK.json", "none|FIRST:LAST");
}

void validate(const TrainSettings& s) {
  require_within("epochs", s.epochs, 1, kMostEpochs);
  require_at_least("max-steps", s.max_steps, 0);
  require_at_least("batch-size", s.batch_size, 1);
  require_at_least("seed", s.seed, 0);
  require_positive("learning-rate", s.learning_rate);
  require_positive("clip", s.clip);
  require_within("weight-decay", s.weight_decay, 0, 1e6);
  require_within("warmup", s.warmup, 0, 1);
  require_one_of("precision", s.precision, {"auto", "fp32", "bf16", "fp16"});
  require_one_of("reduce-precision", s.reduce_precision, {"fp32", "bf16"});
  require_within("virtual-shards", s.virtual_shards, 1, most_shards);
  if (!is_power_of_two(s.virtual_shards))
    throw UserError(fmt::format("--virtual-shards must be a power of two (1, 2, 4, 8, ...), not {}", s.virtual_shards));
}

void validate(const EngineSettings& s) {
  require_one_of("data-on-device", s.data_on_device, {"auto", "yes", "no"});
  require_at_least("micro-batch", s.micro_batch, 0);
  require_within("bucket-mib", s.bucket_mib, 0, 1e6);
  checkpointed_blocks("gradient-checkpointing", s.gradient_checkpointing);
  if (s.encoder_checkpointing != "same") checkpointed_blocks("encoder-checkpointing", s.encoder_checkpointing);
  if (s.decoder_checkpointing != "same") checkpointed_blocks("decoder-checkpointing", s.decoder_checkpointing);
  profiled_steps(s.profile);
}

void validate_deterministic(const TrainSettings& train, const EngineSettings& engine, std::int64_t ranks) {
  if (!train.deterministic) return;
  if (train.reduce_precision != "fp32")
    throw UserError(
        fmt::format("--deterministic sums gradients in fp32: leave out --reduce-precision {}, or --deterministic",
                    train.reduce_precision));
  if (engine.shard_optimizer)
    throw UserError(
        "--deterministic does not go with --shard-optimizer, whose sums depend on the number of ranks: leave out one");
  if (train.virtual_shards % ranks == 0) return;
  std::string allowed = "1";
  for (std::int64_t count = 2; count <= train.virtual_shards; count *= 2) allowed += fmt::format(", {}", count);
  throw UserError(
      fmt::format("--deterministic with --virtual-shards {} runs on {} ranks, not {}; a rank computes whole "
                  "shards, so choose one of these, or more shards",
                  train.virtual_shards, allowed, ranks));
}

std::int64_t checkpointed_blocks(const char* option, const std::string& value) {
  if (value == "none") return 0;
  if (value == "blocks") return 1;
  constexpr std::string_view every = "every=";
  if (value.rfind(every, 0) != 0)
    throw UserError(fmt::format("--{} needs none, blocks or every=N, not '{}'", option, value));
  return parse_count(option, value, std::string_view(value).substr(every.size()));
}

Recompute recompute_of(const EngineSettings& s) {
  const auto blocks = [&](const char* option, const std::string& own) {
    return own == "same" ? checkpointed_blocks("gradient-checkpointing", s.gradient_checkpointing)
                         : checkpointed_blocks(option, own);
  };
  return {blocks("encoder-checkpointing", s.encoder_checkpointing),
          blocks("decoder-checkpointing", s.decoder_checkpointing)};
}

std::int64_t micro_batch_of(const EngineSettings& settings, std::int64_t rows, std::int64_t tokens, std::int64_t dim,
                            bool on_cpu, int threads) {
  if (settings.micro_batch > 0) return settings.micro_batch;
  if (!on_cpu) return rows;
  constexpr std::int64_t widest = std::int64_t{24} << 20;
  const std::int64_t cell = 4 * dim * (tokens + 1) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most = std::max<std::int64_t>(widest / cell, 1);
  const std::int64_t rounds = (rows + most * threads - 1) / (most * threads);  // of one pass a thread
  const std::int64_t passes = std::min<std::int64_t>(rounds * threads, rows);
  return (rows + passes - 1) / passes;
}

double bucket_mib_of(const EngineSettings& settings, std::int64_t parameters) {
  if (settings.bucket_mib > 0) return settings.bucket_mib;
  const double all = static_cast<double>(parameters) * sizeof(float) / (1 << 20);
  return std::clamp(all / 8, 0.25, 25.0);
}

std::pair<std::int64_t, std::int64_t> profiled_steps(const std::string& value) {
  if (value == "none") return {0, 0};
  const std::size_t colon = value.find(':');
  if (colon == std::string::npos) throw UserError(fmt::format("--profile needs FIRST:LAST, not '{}'", value));
  const std::string_view text = value;
  const std::int64_t first = parse_count("profile", value, text.substr(0, colon));
  const std::int64_t last = parse_count("profile", value, text.substr(colon + 1));
  if (last < first) throw UserError(fmt::format("--profile {}: the last step comes before the first", value));
  return {first, last};
}

}  // namespace masksc
