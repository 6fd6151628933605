#include "masksc/train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "agreed_weights.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"
#include "training_steps.hpp"

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

/// Names ranks that compute over 20 % longer in an epoch than the median rank, each once; times under a second tell
/// nothing.
class Laggards {
 public:
  explicit Laggards(TrainContext& context) : context_(context) {}

  /// Takes note of a step. A collective where the epoch, or the training, `ends` with it.
  void note(const TakenStep& step, bool ends) {
    const StepSeconds& seconds = step.report.seconds;
    seconds_ += seconds.data + seconds.forward + seconds.backward;
    if (!ends) return;
    report(step.number);
    seconds_ = 0;
  }

 private:
  void report(std::int64_t step) {
    std::vector<double> all(static_cast<std::size_t>(context_.ranks.size()));
    context_.ranks.all_gather(std::span<const double>(&seconds_, 1), std::span(all));
    std::vector<double> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    const double median = sorted[(sorted.size() - 1) / 2];
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (median < 1 || all[rank] <= 1.2 * median || !named_.insert(rank).second) continue;
      context_.warn("train", step,
                    fmt::format("rank {} computes {:.0f} % longer than the median rank: all wait for it", rank,
                                100 * (all[rank] / median - 1)));
    }
  }

  TrainContext& context_;
  double seconds_ = 0;  // that this rank has computed in this epoch
  std::set<std::size_t> named_;
};

double number_or_nan(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

}  // namespace

std::int64_t total_steps(std::int64_t cells, const TrainSettings& settings) {
  return BatchPlan(cells, settings.batch_size).total_steps(settings.epochs, settings.max_steps);
}

LossShares batch_loss(const MaskedAutoencoder& model, const Targets& targets, const TargetSettings& target_settings,
                      const PassInputs& inputs, std::int64_t global_cells, const std::optional<DropoutKey>& key) {
  const at::Tensor& masked = inputs.masked;
  const MaskedAutoencoder::Output output = model.forward(inputs.patches, inputs.visible, masked, key);
  const at::Tensor wanted = targets.targets(inputs.patches);
  const at::Tensor wanted_masked = at::gather(wanted, 1, masked.unsqueeze(-1).expand({-1, -1, wanted.size(-1)}));
  const auto cells = static_cast<double>(global_cells);
  const auto masked_patches = cells * static_cast<double>(masked.size(1));
  LossShares shares;
  shares.masked =
      ((output.predictions - wanted_masked).square().mean(-1) * inputs.row_weights.unsqueeze(1)).sum() / masked_patches;
  if (target_settings.guidance > 0) {
    const at::Tensor predicted = model.predict_teacher(output, target_settings.guidance_token);
    shares.guidance =
        ((predicted - targets.teacher(inputs.patches)).square().mean(-1) * inputs.row_weights).sum() / cells;
  }
  return shares;
}

TrainOutcome train(MaskedAutoencoder& model, TrainingEngine& engine, const TrainJob& job, TrainContext& context) {
  const Stopwatch all;
  TrainingSteps steps(model, engine, job, context);
  Saver saver(job.checkpoints, job.cadence, "train", context);
  BadSteps bad_steps(job, engine, saver, context);
  Laggards laggards(context);
  TrainOutcome outcome;
  outcome.steps = job.resumed ? job.resumed->step : 0;
  outcome.loss = job.resumed ? number_or_nan(job.resumed->header.at("loss")) : std::nan("");
  Progress progress("training: step", steps.total(), context.show_progress, outcome.steps);
  while (outcome.steps < steps.total()) {
    const TakenStep step = steps.take(outcome.steps, saver);
    const StepReport& report = step.report;
    outcome.steps = step.number;
    outcome.cells += step.cells;
    if (!report.skipped) outcome.loss = report.loss;
    outcome.seconds_by_part += report.seconds;
    context.log.write(describe(step));
    progress.update(step.number, fmt::format("epoch {}/{}, loss {:.4f}, {:.0f} cells/s", step.epoch,
                                             job.settings.epochs, report.loss, step.cells_per_second()));
    const bool last = step.number == steps.total();
    laggards.note(step, step.epoch_ends || last);
    if (const auto back = bad_steps.note(step.number, report)) {
      outcome.steps = back->step;
      outcome.loss = number_or_nan(back->header.at("loss"));
      steps.go_back();
      continue;
    }
    if (last || report.votes.stop) agree_on_weights(model.parameters(), "train", step.number, context);
    if (bad_steps.count() == 0 || last || report.votes.stop)
      saver.after_step(step.number, step.epoch, step.epoch_ends, last, report.votes, [&](bool copy) {
        SavedState state = engine.state(copy);
        state.header.update(describe_position(steps.plan(), step.number, steps.total(), outcome.loss));
        state.header["bad_steps"] = bad_steps.count();
        state.header.update(job.description);
        return state;
      });
    if (report.votes.stop && !last)
      leave_as_asked(context, "train", step.number, fmt::format("at step {} of {}", step.number, steps.total()));
  }
  outcome.seconds = all.seconds();
  outcome.hidden = engine.exchange().mean_hidden();
  return outcome;
}

}  // namespace masksc
