#include "masksc/train/trainer.hpp"

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "device_batch.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/train/moment.hpp"

namespace masksc {
namespace {

/// Steps in a row whose loss or gradient was not finite, and what is done about them.
class BadSteps {
 public:
  BadSteps(const TrainJob& job, TrainingEngine& engine, Saver& saver, TrainContext& context)
      : job_(job), engine_(engine), saver_(saver), context_(context) {
    if (job.resumed) count_ = job.resumed->header.at("bad_steps").get<std::int64_t>();
  }
  [[nodiscard]] std::int64_t count() const { return count_; }

  /// Takes note of a step; when there were too many, the last checkpoint is restored and returned. A collective. Throws
  /// UserError when there is none, or when that was of no use before.
  std::optional<Checkpoint> note(std::int64_t step, const StepReport& report) {
    if (!report.skipped) count_ = 0;
    if (!report.bad) return std::nullopt;
    if (++count_ < job_.max_bad_steps) return std::nullopt;
    saver_.settle();
    std::optional<Checkpoint> last;
    if (job_.checkpoints != nullptr && step > went_back_at_) last = job_.checkpoints->load();
    const std::string what =
        fmt::format("loss or gradient were not finite in {} steps in a row, up to step {} (loss {}, gradient norm {})",
                    count_, step, report.loss, report.gradient_norm);
    if (!last)
      throw UserError(fmt::format("{}{}; lower --learning-rate (now {}) or take --precision fp32, and start again",
                                  what, went_back_at_ > 0 ? ", also after going back to the last checkpoint" : "",
                                  job_.settings.learning_rate));
    engine_.restore(*last);
    went_back_at_ = step;
    count_ = 0;
    const std::string message = fmt::format("{}: back to the checkpoint of step {}", what, last->step);
    context_.log.event("train", "rewound", last->step, {{"message", message}});
    if (context_.ranks.is_root()) log::warning("{}", message);
    return last;
  }

 private:
  const TrainJob& job_;
  TrainingEngine& engine_;
  Saver& saver_;
  TrainContext& context_;
  std::int64_t count_ = 0;
  std::int64_t went_back_at_ = 0;
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

/// A step's line of log.jsonl; epoch and step from 1.
Json describe_step(std::int64_t epoch, std::int64_t step, RowRange cells, double learning_rate, double speed,
                   const StepReport& report) {
  Json line = {{"stage", "train"},
               {"epoch", epoch},
               {"step", step},
               {"cells", {cells.begin, cells.end}},
               {"loss", report.loss},
               {"masked_loss", report.masked_loss},
               {"guidance_loss", report.guidance_loss},
               {"learning_rate", learning_rate},
               {"gradient_norm", report.gradient_norm},
               {"cells_per_second", speed},
               {"time", log_time()},
               {"seconds", describe(report.seconds)}};
  if (report.skipped) line["skipped"] = true;
  return line;
}

double number_or_nan(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

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
  const Stopwatch all;
  const auto seed = static_cast<std::uint64_t>(job.settings.seed);
  const double guidance = job.target_settings.guidance;
  Loader loader(job.expression, job.settings.batch_size, seed, /*stage=*/0, context.ranks,
                loader_settings(context, job.settings.parts(context.ranks.size())));
  const std::int64_t total = total_steps(job.expression.cells, job.settings);
  const std::int64_t steps_per_epoch = loader.plan().steps;
  Saver saver(job.checkpoints, job.cadence, "train", context);
  BadSteps bad_steps(job, engine, saver, context);
  TrainOutcome outcome;
  outcome.steps = job.resumed ? job.resumed->step : 0;
  outcome.loss = job.resumed ? number_or_nan(job.resumed->header.at("loss")) : std::nan("");
  Progress progress("training: step", total, context.show_progress, outcome.steps);
  double epoch_compute = 0;
  std::set<std::size_t> laggards;
  bool starts = true;  // the rows of the epoch are not there yet
  while (outcome.steps < total) {
    const std::int64_t step = outcome.steps;
    const Stopwatch stopwatch;
    const Moment begun(context.device);
    if (job.watch) job.watch(step + 1, true);
    if (context.nccl != nullptr) context.nccl->set_step(step + 1);
    const std::int64_t epoch = step / steps_per_epoch;
    const bool epoch_ends = (step + 1) % steps_per_epoch == 0;
    if (step % steps_per_epoch == 0 || starts) {
      loader.start_epoch(static_cast<std::uint32_t>(epoch));
      context.log.event("train", "epoch", step + 1, {{"epoch", epoch + 1}, {"order_hash", loader.order_hash()}});
    }
    starts = false;
    const RowRange positions = loader.plan().batch(step % steps_per_epoch);
    const DeviceBatch batch = [&] {
      RECORD_USER_SCOPE("data");
      return DeviceBatch(loader.batch(step % steps_per_epoch), model.shape(), seed, static_cast<std::uint32_t>(epoch),
                         job.micro_batch, job.settings.deterministic, context);
    }();
    const Moment batched(context.device);
    context.ranks.begin_step(step + 1);  // reading the batch may take one rank longer than others
    const double learning_rate = scheduled_learning_rate(step, total, job.settings.learning_rate, job.settings.warmup);
    const StepPasses passes = {.count = batch.passes,
                               .inputs = [&](std::int64_t pass) { return batch.inputs(pass); },
                               .loss =
                                   [&](const std::vector<at::Tensor>& in) {
                                     return batch_loss(model, job.targets, job.target_settings, in[0], in[1], in[2],
                                                       in[3], batch.global_cells, batch.key_of(in[4]));
                                   },
                               .constants = {static_cast<double>(batch.global_cells)}};
    StepReport report = engine.step(passes, guidance, learning_rate, saver.votes(epoch_ends));
    context.ranks.end_step();
    report.seconds.data = batched.since(begun);
    if (job.watch) job.watch(step + 1, false);

    outcome.steps = step + 1;
    outcome.cells += batch.global_cells;
    if (!report.skipped) outcome.loss = report.loss;
    outcome.parts += report.seconds;
    epoch_compute += report.seconds.data + report.seconds.forward + report.seconds.backward;
    const double speed = static_cast<double>(batch.global_cells) / stopwatch.seconds();
    context.log.write(describe_step(epoch + 1, step + 1, positions, learning_rate, speed, report));
    progress.update(step + 1, fmt::format("epoch {}/{}, loss {:.4f}, {:.0f} cells/s", epoch + 1, job.settings.epochs,
                                          report.loss, speed));
    const bool last = step + 1 == total;
    if (epoch_ends || last) {
      report_laggards(epoch_compute, step + 1, laggards, context);
      epoch_compute = 0;
    }
    if (const auto back = bad_steps.note(step + 1, report)) {
      outcome.steps = back->step;
      outcome.loss = number_or_nan(back->header.at("loss"));
      starts = true;
      continue;
    }
    if (bad_steps.count() == 0 || last || report.votes.stop)
      saver.after_step(step + 1, epoch + 1, epoch_ends, last, report.votes, [&](bool copy) {
        SavedState state = engine.state(copy);
        state.header.update(describe_position(loader.plan(), step + 1, total, outcome.loss));
        state.header["bad_steps"] = bad_steps.count();
        state.header.update(job.description);
        return state;
      });
    if (report.votes.stop && !last)
      leave_as_asked(context, "train", step + 1, fmt::format("at step {} of {}", step + 1, total));
  }
  outcome.seconds = all.seconds();
  outcome.hidden = engine.exchange().mean_hidden();
  return outcome;
}

}  // namespace masksc
