// Settings of stage 2's training, of how its steps are carried out and of when they are saved.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "masksc/core/options.hpp"
#include "masksc/model/settings.hpp"

namespace masksc {

struct TrainSettings {
  std::int64_t epochs = 36;
  std::int64_t max_steps = 0;    // 0: all epochs
  std::int64_t batch_size = 64;  // global, over all ranks
  double learning_rate = 1e-3;   // peak
  double weight_decay = 0.05;
  double warmup = 0.1;  // share of the steps
  double clip = 1.0;    // norm of the global gradient
  std::int64_t seed = 0;
  std::string precision = "auto";         // auto, fp32, bf16, fp16
  std::string reduce_precision = "fp32";  // of gradients on their way between ranks: fp32, bf16
  bool deterministic = false;             // the same bits on any number of ranks that divides virtual_shards
  std::int64_t virtual_shards = 8;        // then: parts of a global batch, summed by a binary tree; a power of two

  /// Parts that a global batch is cut into on so many ranks.
  [[nodiscard]] int parts(int ranks) const { return deterministic ? static_cast<int>(virtual_shards) : ranks; }
};

/// How a step is carried out; the result is the same to rounding.
struct EngineSettings {
  std::int64_t micro_batch = 0;                 // cells of a forward and backward pass on a rank; 0: chosen
  std::string gradient_checkpointing = "none";  // none, blocks, every=N
  std::string encoder_checkpointing = "same";   // same: as gradient_checkpointing
  std::string decoder_checkpointing = "same";
  double bucket_mib = 0;  // of gradients that travel together; 0: chosen
  bool shard_optimizer = false;
  bool cuda_graph = false;
  std::string data_on_device = "auto";  // yes, no: whether the rows of all cells stay on every rank's device
  std::string profile = "none";         // or FIRST:LAST steps
};

/// When checkpoints are saved. All three 0: at the ends of epochs, and every ten minutes in longer ones, as long as
/// that takes under 1 % of the time.
struct CadenceSettings {
  std::int64_t steps = 0;   // every N steps
  std::int64_t epochs = 0;  // every N epochs
  double minutes = 0;
  bool background = false;  // training goes on while a snapshot is written
};

void describe(OptionTable& table, TrainSettings& settings);
void describe(OptionTable& table, EngineSettings& settings);

/// Throw UserError on values out of range, and on those whose engine this build does not have.
void validate(const TrainSettings& settings);
void validate(const EngineSettings& settings);

/// Throws UserError when --deterministic does not go with these ranks or these other settings.
void validate_deterministic(const TrainSettings& train, const EngineSettings& engine, std::int64_t ranks);

/// Blocks of a segment that is computed again, of "none" (0), "blocks" (1) or "every=N". Throws UserError; `option` is
/// named in it.
std::int64_t checkpointed_blocks(const char* option, const std::string& value);

/// Of the encoder and of the decoder, as all three options say.
Recompute recompute_of(const EngineSettings& settings);

/// Cells of a pass, for a rank's batch of `rows` cells of `tokens` tokens: --micro-batch, or where that leaves it open,
/// all of them on a GPU; on a CPU threads take equal shares, in rounds that keep the widest activation at 24 MiB.
std::int64_t micro_batch_of(const EngineSettings& settings, std::int64_t rows, std::int64_t tokens, std::int64_t dim,
                            bool on_cpu, int threads);

/// MiB of a bucket: --bucket-mib, or where that leaves it open, an eighth of the gradients, from 0.25 to 25.
double bucket_mib_of(const EngineSettings& settings, std::int64_t parameters);

/// First and last step of FIRST:LAST; 0 and 0 of none. Throws UserError.
std::pair<std::int64_t, std::int64_t> profiled_steps(const std::string& value);

}  // namespace masksc
