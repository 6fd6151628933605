// The training step: micro-batches, mixed precision, gradients over ranks, clipping, update. It knows flat parameters
// and a function that gives the loss of a pass, nothing of cells.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/model/parameters.hpp"
#include "masksc/train/exchange.hpp"
#include "masksc/train/moment.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/saver.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

/// fp16's loss scaling (Micikevicius et al. 2018): the loss is multiplied by `scale`; a step whose gradients overflow
/// is left out and halves it, 2000 good ones in a row double it. 1 and constant for other precisions.
struct LossScale {
  double scale = 1;
  std::int64_t good_steps = 0;
  bool dynamic = false;

  void update(bool overflow);
};

/// Shares of one pass in the loss of the global batch; they add up over passes and ranks.
struct LossShares {
  at::Tensor masked;
  at::Tensor guidance;  // undefined without guidance
};

/// Where the time of a step went on this rank, in seconds; on a GPU the time of its stream.
struct StepSeconds {
  double data = 0;      // batch and masks, before the engine's step
  double forward = 0;   // with threads: of the first
  double backward = 0;  // with the communication it hides
  double exposed = 0;   // waiting for gradients of others
  double update = 0;    // norm, clipping, optimizer; on a GPU, which is not done when the step returns, the last step's

  StepSeconds& operator+=(const StepSeconds& other);
  [[nodiscard]] double sum() const { return data + forward + backward + exposed + update; }
};
/// By name, as logs and metrics hold them.
Json describe(const StepSeconds& seconds);

/// What a step reports; all but the seconds are equal on every rank.
struct StepReport {
  double loss = 0;  // masked_loss + guidance weight * guidance_loss
  double masked_loss = 0;
  double guidance_loss = 0;
  double gradient_norm = 0;
  bool skipped = false;  // loss or gradient was not finite: the weights are as before
  bool bad = false;      // and no loss scale was to blame
  StepVotes votes;       // of all ranks
  StepSeconds seconds;
};

/// bf16, fp16 or float as --precision says for this device. `auto` is bf16 on a GPU and fp32 on a CPU.
at::ScalarType working_type(const std::string& precision, at::Device device);

/// Half precision on a CPU without instructions for it is several times slower than fp32.
void warn_if_slow(at::ScalarType type, at::Device device);

class TrainingEngine {
 public:
  /// `parameters` get the working copy of the precision as long as the engine lives. On a CPU `threads` passes run at
  /// the same time, each on one thread: LibTorch's own threads should then be 1. That is faster than passes whose every
  /// operation is cut in pieces. Gradients travel by `nccl`, if given, else through host memory.
  ///
  /// With train.deterministic each virtual shard of this rank has gradients of its own: a step takes the same number of
  /// passes a shard, those of a shard one after the other on one thread, and sums go by a tree over the shards.
  TrainingEngine(FlatParameters& parameters, const TrainSettings& train, const EngineSettings& engine,
                 Collectives& ranks, int threads = 1, NcclCollectives* nccl = nullptr);
  ~TrainingEngine();
  TrainingEngine(const TrainingEngine&) = delete;
  TrainingEngine& operator=(const TrainingEngine&) = delete;

  /// One step of `passes` passes; pass_loss(i) builds the graph of pass i, on one of the threads. A step whose loss or
  /// gradient is not finite is left out on all ranks; with fp16 it is `bad` only when the loss scale has no room left.
  /// A collective.
  StepReport step(std::int64_t passes, const std::function<LossShares(std::int64_t)>& pass_loss, double guidance_weight,
                  double learning_rate, const StepVotes& votes);

  /// Weights, moments and loss scale as a checkpoint holds them; the arrays are copies if `copy`. A collective.
  [[nodiscard]] SavedState state(bool copy);
  /// Takes them from a checkpoint, whatever the number of ranks and the sharding were. A collective. Throws UserError
  /// on all ranks when names or shapes do not fit.
  void restore(const Checkpoint& checkpoint);

  [[nodiscard]] const GradientExchange& exchange() const { return exchange_; }
  /// Elements of each of the optimizer's moments that this rank keeps.
  [[nodiscard]] std::int64_t optimizer_elements() const { return optimizer_.first_moment().numel(); }
  [[nodiscard]] const LossScale& loss_scale() const { return scale_; }

 private:
  struct Lane;
  void run_passes(Lane& lane, const std::function<LossShares(std::int64_t)>& pass_loss, double guidance_weight,
                  std::vector<Moment>& moments);
  [[nodiscard]] std::vector<Lane> lanes_of(std::int64_t passes) const;
  /// Seconds of a step's update: this one's, or on a GPU, where the host does not wait for it, the last one's.
  [[nodiscard]] double time_update(const Interval& update);
  [[nodiscard]] double add_up(const std::vector<Lane>& lanes, at::Tensor LossShares::*share) const;

  FlatParameters& parameters_;
  TrainSettings settings_;
  Collectives& ranks_;
  int threads_;
  int shards_;  // of this rank; 0 unless deterministic
  GradientExchange exchange_;
  AdamW optimizer_;
  LossScale scale_;
  std::optional<Interval> update_;  // on a GPU: of the last step
};

}  // namespace masksc
