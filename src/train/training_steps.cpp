#include "training_steps.hpp"

#include <ATen/record_function.h>

#include "device_batch.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/train/timestamp.hpp"

namespace masksc {

Json describe(const TakenStep& step) {
  const StepReport& report = step.report;
  Json line = {{"stage", "train"},
               {"epoch", step.epoch},
               {"step", step.number},
               {"cells", {step.positions.begin, step.positions.end}},
               {"loss", report.loss},
               {"masked_loss", report.masked_loss},
               {"guidance_loss", report.guidance_loss},
               {"learning_rate", step.learning_rate},
               {"gradient_norm", report.gradient_norm},
               {"cells_per_second", step.cells_per_second()},
               {"time", log_time()},
               {"seconds", describe(report.seconds)}};
  if (report.skipped) line["skipped"] = true;
  return line;
}

TrainingSteps::TrainingSteps(MaskedAutoencoder& model, TrainingEngine& engine, const TrainJob& job,
                             TrainContext& context)
    : model_(model),
      engine_(engine),
      job_(job),
      context_(context),
      seed_(static_cast<std::uint64_t>(job.settings.seed)),
      total_(total_steps(job.expression.cells, job.settings)),
      loader_(job.expression, job.settings.batch_size, seed_, ShuffleStream::training, context.ranks,
              loader_settings(context, job.settings.parts(context.ranks.size()))) {}

void TrainingSteps::begin_epoch(std::int64_t epoch, std::int64_t step) {
  loader_.start_epoch(static_cast<std::uint32_t>(epoch));
  context_.log.event("train", "epoch", step, {{"epoch", epoch + 1}, {"order_hash", loader_.order_hash()}});
  begins_ = false;
}

TakenStep TrainingSteps::take(std::int64_t done, const Saver& saver) {
  const Stopwatch stopwatch;
  const Timestamp begun(context_.device);
  const std::int64_t epoch = done / plan().steps;
  const std::int64_t step = done % plan().steps;  // of the epoch
  TakenStep taken{
      .number = done + 1,
      .epoch = epoch + 1,
      .epoch_ends = step + 1 == plan().steps,
      .positions = plan().batch(step),
      .learning_rate = scheduled_learning_rate(done, total_, job_.settings.learning_rate, job_.settings.warmup)};
  if (job_.around_step) job_.around_step(taken.number, true);
  if (context_.nccl != nullptr) context_.nccl->set_step(taken.number);
  if (step == 0 || begins_) begin_epoch(epoch, taken.number);
  const DeviceBatch batch = [&] {
    RECORD_USER_SCOPE("data");
    return DeviceBatch(loader_.batch(step), model_.shape(), seed_, static_cast<std::uint32_t>(epoch), job_.micro_batch,
                       job_.settings.deterministic, context_);
  }();
  taken.cells = batch.global_cells;
  const Timestamp batched(context_.device);
  context_.ranks.begin_step(taken.number);  // reading the batch may take one rank longer than others
  const auto loss = [&](const std::vector<at::Tensor>& tensors) {
    const PassInputs inputs = PassInputs::of(tensors);
    return batch_loss(model_, job_.targets, job_.target_settings, inputs, batch.global_cells,
                      batch.key_of(inputs.cells));
  };
  const StepPasses passes = {.count = batch.passes,
                             .inputs = [&](std::int64_t pass) { return batch.inputs(pass).tensors(); },
                             .loss = loss,
                             .constants = {static_cast<double>(batch.global_cells)}};
  taken.report =
      engine_.step(passes, job_.target_settings.guidance, taken.learning_rate, saver.votes(taken.epoch_ends));
  context_.ranks.end_step();
  taken.report.seconds.data = batched.since(begun);
  if (job_.around_step) job_.around_step(taken.number, false);
  taken.seconds = stopwatch.seconds();
  return taken;
}

}  // namespace masksc
