// The training step: micro-batches, mixed precision, gradients over ranks, clipping, update. It knows flat parameters
// and a function that gives the loss of a pass, nothing of cells.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/model/parameters.hpp"
#include "masksc/train/exchange.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/passes.hpp"
#include "masksc/train/precision.hpp"
#include "masksc/train/saver.hpp"
#include "masksc/train/settings.hpp"
#include "masksc/train/timestamp.hpp"

namespace masksc {

/// Where the time of a step went on this rank, in seconds; on a GPU the time of its stream.
struct StepSeconds {
  double data = 0;      // batch and masks, before the engine's step
  double forward = 0;   // of all passes on all threads, which share the time that they take as they compute
  double backward = 0;  // likewise; with the communication it hides
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

class TrainingEngine {
 public:
  /// `parameters` get the working copy of the precision as long as the engine lives. On a CPU `threads` passes run at
  /// the same time, each on one thread: LibTorch's own threads should then be 1. That is faster than passes whose every
  /// operation is cut in pieces. Gradients travel by `nccl`, if given, else through host memory.
  ///
  /// With train.deterministic each virtual shard of this rank has gradients of its own: a step takes the same number of
  /// passes a shard, those of a shard one after the other on one thread, and sums go by a tree over the shards.
  ///
  /// With a `recorder` passes are recorded when a kind comes for the second time, and launched from then on; threads
  /// are 1 then. Gradients travel as they do without.
  TrainingEngine(FlatParameters& parameters, const TrainSettings& train, const EngineSettings& engine,
                 Collectives& ranks, int threads = 1, NcclCollectives* nccl = nullptr,
                 std::unique_ptr<Recorder> recorder = nullptr);
  ~TrainingEngine();
  TrainingEngine(const TrainingEngine&) = delete;
  TrainingEngine& operator=(const TrainingEngine&) = delete;

  /// One step; the functions of `passes` are called on the threads. A step whose loss or gradient is not finite is left
  /// out on all ranks; it is `bad` unless fp16's loss scale can fall for an overflow of gradients. A collective.
  StepReport step(const StepPasses& passes, double guidance_weight, double learning_rate, const StepVotes& votes);

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
  void run_passes(Lane& lane, const StepPasses& passes, double guidance_weight, std::vector<Timestamp>& timestamps);
  [[nodiscard]] at::Tensor total_loss(const LossShares& shares, double guidance_weight) const;
  LossShares ask_for_pass(const StepPasses& passes, const std::vector<at::Tensor>& inputs, double guidance_weight,
                          bool last, const std::function<void()>& note);
  [[nodiscard]] RecordedPass record_pass(Recorder& recorder, const StepPasses& passes,
                                         const std::vector<at::Tensor>& inputs, double guidance_weight, bool last);
  /// Null where a pass is not to be launched whole.
  const RecordedPass* recorded_pass(const StepPasses& passes, const std::vector<at::Tensor>& inputs,
                                    double guidance_weight, bool last);
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
  std::optional<RecordedPasses> recorded_;
  std::optional<Interval> update_;  // on a GPU: of the last step
};

}  // namespace masksc
