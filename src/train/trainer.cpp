#include "masksc/train/trainer.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>

#include "masksc/core/progress.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/train/stop.hpp"

namespace masksc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What one step reports; equal on every rank.
struct StepReport {
  double masked_loss = 0;
  double guidance_loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
  bool stop = false;

  [[nodiscard]] double loss(double guidance) const { return masked_loss + guidance * guidance_loss; }
};

/// When to save: every N steps, or at the ends of epochs as long as saving stays under 5 % of the time.
class Cadence {
 public:
  explicit Cadence(const TrainJob& job) : job_(job) {}
  /// `elapsed`: rank 0's seconds since the last save, the same on all ranks.
  [[nodiscard]] bool due(std::int64_t steps_done, bool epoch_ends, double elapsed) const {
    if (job_.checkpoints == nullptr) return false;
    if (job_.checkpoint_every_steps > 0) return steps_done % job_.checkpoint_every_steps == 0;
    return epoch_ends && elapsed >= 20 * job_.checkpoints->last_save_seconds();
  }

 private:
  const TrainJob& job_;
};

/// The training step: sample, forward, backward, update.
StepReport train_step(MaskedAutoencoder& model, AdamW& optimizer, const TrainJob& job, const Batch& batch,
                      std::uint32_t epoch, std::int64_t step, std::int64_t total, TrainContext& context) {
  const TrainSettings& settings = job.settings;
  const auto seed = static_cast<std::uint64_t>(settings.seed);
  const AutoencoderShape& shape = model.shape();

  // sample
  const std::int64_t visible = visible_tokens(shape.tokens(), shape.model.mask_ratio);
  const Masks masks = draw_masks(seed, epoch, batch.cells, shape.tokens(), visible);
  const at::Tensor keep = to_tensor(masks.visible, {batch.rows, visible}, context.device);
  const at::Tensor masked = to_tensor(masks.masked, {batch.rows, shape.tokens() - visible}, context.device);
  const at::Tensor patches = to_patches(batch.values, batch.rows, shape.patch_genes, context.device);
  const at::Tensor weights = to_tensor(batch.weights, context.device);

  // forward
  const DropoutKey key{seed, epoch, 0, batch.cells};
  const LossShares shares =
      batch_loss(model, job.targets, job.target_settings, patches, weights, keep, masked, batch.global_cells, key);
  at::Tensor loss = shares.masked;
  if (shares.guidance.defined()) loss = loss + job.target_settings.guidance * shares.guidance;

  // backward
  model.parameters().gradients().zero_();
  loss.backward();
  all_reduce(context.ranks, model.parameters().gradients());
  std::array scalars = {shares.masked.item<double>(), shares.guidance.defined() ? shares.guidance.item<double>() : 0.0,
                        stop_requested() ? 1.0 : 0.0};
  context.ranks.all_reduce(std::span<double>(scalars));

  // update
  StepReport report{scalars[0], scalars[1], 0,
                    scheduled_learning_rate(step, total, settings.learning_rate, settings.warmup), scalars[2] > 0};
  report.gradient_norm = clip_gradients(model.parameters().gradients(), settings.clip);
  if (!std::isfinite(report.loss(job.target_settings.guidance)) || !std::isfinite(report.gradient_norm))
    throw UserError(
        fmt::format("the loss or its gradient is not finite at step {} (loss {}, gradient norm {}); lower "
                    "--learning-rate (now {}) and start again",
                    step + 1, report.loss(job.target_settings.guidance), report.gradient_norm, settings.learning_rate));
  optimizer.step(model.parameters(), report.learning_rate);
  return report;
}

}  // namespace

std::int64_t total_steps(std::int64_t cells, const TrainSettings& settings) {
  const std::int64_t all = settings.epochs * BatchPlan(cells, settings.batch_size).steps;
  return settings.max_steps > 0 ? std::min(all, settings.max_steps) : all;
}

LossShares batch_loss(const MaskedAutoencoder& model, const Targets& targets, const TargetSettings& target_settings,
                      const at::Tensor& patches, const at::Tensor& row_weights, const at::Tensor& keep,
                      const at::Tensor& masked, std::int64_t global_cells, const std::optional<DropoutKey>& key) {
  const MaskedAutoencoder::Output output = model.forward(patches, keep, masked, key);
  const at::Tensor wanted = targets.targets(patches);
  const at::Tensor wanted_masked = at::gather(wanted, 1, masked.unsqueeze(-1).expand({-1, -1, wanted.size(-1)}));
  const auto cells = static_cast<double>(global_cells);
  const auto masked_patches = cells * static_cast<double>(masked.size(1));
  LossShares shares;
  shares.masked =
      ((output.predictions - wanted_masked).square().mean(-1) * row_weights.unsqueeze(1)).sum() / masked_patches;
  if (target_settings.guidance > 0) {
    const at::Tensor predicted = model.predict_teacher(output, target_settings.guidance_token);
    shares.guidance = ((predicted - targets.teacher(patches)).square().mean(-1) * row_weights).sum() / cells;
  }
  return shares;
}

TrainOutcome train(MaskedAutoencoder& model, AdamW& optimizer, const TrainJob& job, TrainContext& context) {
  const auto start = Clock::now();
  Loader loader(job.expression, job.settings.batch_size, static_cast<std::uint64_t>(job.settings.seed), /*stage=*/0,
                context.ranks);
  const std::int64_t total = total_steps(job.expression.cells, job.settings);
  const std::int64_t steps_per_epoch = loader.plan().steps;
  const Cadence cadence(job);
  const double guidance = job.target_settings.guidance;
  Progress progress("training: step", total, context.show_progress, job.first_step);
  TrainOutcome outcome;
  outcome.steps = job.first_step;
  auto last_save = Clock::now();
  for (std::int64_t step = job.first_step; step < total; ++step) {
    const auto step_start = Clock::now();
    const std::int64_t epoch = step / steps_per_epoch;
    if (step % steps_per_epoch == 0 || step == job.first_step) loader.start_epoch(static_cast<std::uint32_t>(epoch));
    const Batch batch = loader.batch(step % steps_per_epoch);
    const StepReport report =
        train_step(model, optimizer, job, batch, static_cast<std::uint32_t>(epoch), step, total, context);

    outcome.steps = step + 1;
    outcome.cells += batch.global_cells;
    outcome.loss = report.loss(guidance);
    const double speed = static_cast<double>(batch.global_cells) / seconds_since(step_start);
    context.log.write({{"stage", "train"},
                       {"epoch", epoch + 1},
                       {"step", step + 1},
                       {"loss", outcome.loss},
                       {"masked_loss", report.masked_loss},
                       {"guidance_loss", report.guidance_loss},
                       {"learning_rate", report.learning_rate},
                       {"gradient_norm", report.gradient_norm},
                       {"cells_per_second", speed}});
    progress.update(step + 1, fmt::format("epoch {}, loss {:.4f}, {:.0f} cells/s", epoch + 1, outcome.loss, speed));

    const bool epoch_ends = (step + 1) % steps_per_epoch == 0;
    const bool last = step + 1 == total;
    double elapsed = epoch_ends ? seconds_since(last_save) : 0;
    if (epoch_ends) context.ranks.broadcast(std::span(&elapsed, 1));
    if (job.checkpoints != nullptr && (last || report.stop || cadence.due(step + 1, epoch_ends, elapsed))) {
      job.checkpoints->save(model.parameters(), optimizer, step + 1);
      last_save = Clock::now();
      context.log.event("train", "checkpoint", step + 1, {{"seconds", job.checkpoints->last_save_seconds()}});
    }
    if (report.stop && !last) {
      context.log.event("train", "stop", step + 1);
      throw StopRequested(
          fmt::format("stopped on request at step {} of {}; start the same command to resume", step + 1, total));
    }
  }
  outcome.seconds = seconds_since(start);
  return outcome;
}

}  // namespace masksc
