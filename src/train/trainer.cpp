#include "masksc/train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/train/stop.hpp"

namespace masksc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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

/// A batch on the device, and the passes that it is cut into.
struct DeviceBatch {
  DeviceBatch(const Batch& batch, const AutoencoderShape& shape, std::uint64_t seed, std::uint32_t epoch,
              std::int64_t micro_batch, at::Device device)
      : pass_rows(std::min(micro_batch, batch.rows)),
        passes((batch.rows + pass_rows - 1) / pass_rows),
        key{seed, epoch, 0, batch.cells} {
    const std::int64_t visible = visible_tokens(shape.tokens(), shape.model.mask_ratio);
    const Masks masks = draw_masks(seed, epoch, batch.cells, shape.tokens(), visible);
    keep = to_tensor(masks.visible, {batch.rows, visible}, device);
    masked = to_tensor(masks.masked, {batch.rows, shape.tokens() - visible}, device);
    patches = to_patches(batch.values, batch.rows, shape.patch_genes, device);
    weights = to_tensor(batch.weights, device);
  }
  [[nodiscard]] at::Tensor rows(const at::Tensor& whole, std::int64_t pass) const {
    return whole.narrow(0, pass * pass_rows, std::min(pass_rows, whole.size(0) - pass * pass_rows));
  }
  [[nodiscard]] DropoutKey key_of(std::int64_t pass) const {
    DropoutKey mine = key;
    mine.cells = key.cells.subspan(static_cast<std::size_t>(pass * pass_rows),
                                   static_cast<std::size_t>(rows(weights, pass).size(0)));
    return mine;
  }

  std::int64_t pass_rows;
  std::int64_t passes;
  DropoutKey key;
  at::Tensor patches;
  at::Tensor weights;
  at::Tensor keep;
  at::Tensor masked;
};

/// Names ranks that compute over 20 % longer than the median rank, each once; times under a second tell nothing. A
/// collective.
void report_laggards(double compute_seconds, std::int64_t step, std::set<std::size_t>& named, TrainContext& context) {
  std::vector<double> all(static_cast<std::size_t>(context.ranks.size()));
  context.ranks.all_gather(std::span<const double>(&compute_seconds, 1), std::span(all));
  std::vector<double> sorted = all;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[(sorted.size() - 1) / 2];
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (median < 1 || all[rank] <= 1.2 * median || !named.insert(rank).second) continue;
    const std::string message = fmt::format("rank {} computes {:.0f} % longer than the median rank: all wait for it",
                                            rank, 100 * (all[rank] / median - 1));
    context.log.event("train", "warning", step, {{"message", message}});
    if (context.ranks.is_root()) log::warning("{}", message);
  }
}

}  // namespace

std::int64_t total_steps(std::int64_t cells, const TrainSettings& settings) {
  return BatchPlan(cells, settings.batch_size).total_steps(settings.epochs, settings.max_steps);
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

TrainOutcome train(MaskedAutoencoder& model, TrainingEngine& engine, const TrainJob& job, TrainContext& context) {
  const auto start = Clock::now();
  const auto seed = static_cast<std::uint64_t>(job.settings.seed);
  const double guidance = job.target_settings.guidance;
  Loader loader(job.expression, job.settings.batch_size, seed, /*stage=*/0, context.ranks);
  const std::int64_t total = total_steps(job.expression.cells, job.settings);
  const std::int64_t steps_per_epoch = loader.plan().steps;
  const Cadence cadence(job);
  Progress progress("training: step", total, context.show_progress, job.first_step);
  TrainOutcome outcome;
  outcome.steps = job.first_step;
  auto last_save = Clock::now();
  double epoch_compute = 0;
  std::set<std::size_t> laggards;
  for (std::int64_t step = job.first_step; step < total; ++step) {
    const auto step_start = Clock::now();
    if (job.watch) job.watch(step + 1, true);
    context.ranks.set_step(step + 1);
    if (context.nccl != nullptr) context.nccl->set_step(step + 1);
    const std::int64_t epoch = step / steps_per_epoch;
    if (step % steps_per_epoch == 0 || step == job.first_step) loader.start_epoch(static_cast<std::uint32_t>(epoch));
    const Batch batch = loader.batch(step % steps_per_epoch);
    const DeviceBatch device(batch, model.shape(), seed, static_cast<std::uint32_t>(epoch), job.micro_batch,
                             context.device);
    const double data_seconds = seconds_since(step_start);
    const double learning_rate = scheduled_learning_rate(step, total, job.settings.learning_rate, job.settings.warmup);
    StepReport report = engine.step(
        device.passes,
        [&](std::int64_t pass) {
          return batch_loss(model, job.targets, job.target_settings, device.rows(device.patches, pass),
                            device.rows(device.weights, pass), device.rows(device.keep, pass),
                            device.rows(device.masked, pass), batch.global_cells, device.key_of(pass));
        },
        guidance, learning_rate, stop_requested());
    report.seconds.data = data_seconds;
    if (job.watch) job.watch(step + 1, false);

    outcome.steps = step + 1;
    outcome.cells += batch.global_cells;
    outcome.loss = report.loss;
    outcome.parts += report.seconds;
    epoch_compute += data_seconds + report.seconds.forward + report.seconds.backward;
    const double speed = static_cast<double>(batch.global_cells) / seconds_since(step_start);
    Json line = {{"stage", "train"},
                 {"epoch", epoch + 1},
                 {"step", step + 1},
                 {"loss", report.loss},
                 {"masked_loss", report.masked_loss},
                 {"guidance_loss", report.guidance_loss},
                 {"learning_rate", learning_rate},
                 {"gradient_norm", report.gradient_norm},
                 {"cells_per_second", speed},
                 {"seconds", describe(report.seconds)}};
    if (report.skipped) line["skipped"] = true;
    context.log.write(line);
    progress.update(step + 1, fmt::format("epoch {}, loss {:.4f}, {:.0f} cells/s", epoch + 1, report.loss, speed));

    const bool epoch_ends = (step + 1) % steps_per_epoch == 0;
    const bool last = step + 1 == total;
    if (epoch_ends) {
      report_laggards(epoch_compute, step + 1, laggards, context);
      epoch_compute = 0;
    }
    double elapsed = epoch_ends ? seconds_since(last_save) : 0;
    if (epoch_ends) context.ranks.broadcast(std::span(&elapsed, 1));
    if (job.checkpoints != nullptr && (last || report.stop || cadence.due(step + 1, epoch_ends, elapsed))) {
      job.checkpoints->save(model.parameters(), engine.state(step + 1));
      last_save = Clock::now();
      context.log.event("train", "checkpoint", step + 1, {{"seconds", job.checkpoints->last_save_seconds()}});
    }
    if (report.stop && !last) {
      context.log.event("train", "stop", step + 1, {{"reason", stop_reason()}});
      throw StopRequested(fmt::format("stopped on request ({}) at step {} of {}; start the same command to resume",
                                      stop_reason(), step + 1, total));
    }
  }
  outcome.seconds = seconds_since(start);
  outcome.hidden = engine.exchange().mean_hidden();
  return outcome;
}

}  // namespace masksc
