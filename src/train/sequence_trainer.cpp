#include "masksc/train/sequence_trainer.hpp"

#include <fmt/format.h>

#include "agreed_weights.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/train/checkpoint.hpp"
#include "masksc/train/optimizer.hpp"
#include "sequence_steps.hpp"

namespace masksc {
namespace {

/// Parameters and moments are dealt out over the ranks, which all have them; rank 0 has the running statistics.
SavedState state_of(const SequenceEncoder& encoder, const AdamW& adam, Collectives& ranks, bool copy) {
  const FlatParameters& parameters = encoder.parameters();
  const auto shares = deal_parameters(parameters, ranks.size());
  const ParameterShare& mine = shares[static_cast<std::size_t>(ranks.rank())];
  SavedState state;
  add_parameters(state.arrays, parameters, "weights", mine, host_part(parameters.values(), mine, copy));
  add_parameters(state.arrays, parameters, "adam_m", mine, host_part(adam.first_moment(), mine, copy));
  add_parameters(state.arrays, parameters, "adam_v", mine, host_part(adam.second_moment(), mine, copy));
  if (ranks.is_root())
    for (std::size_t i = 0; i < SequenceEncoder::running_names.size(); ++i)
      add_tensor(state.arrays, std::string("running/") + SequenceEncoder::running_names[i],
                 encoder.running()[i].cpu().clone());
  return state;
}

void restore(const Checkpoint& checkpoint, SequenceEncoder& encoder, AdamW& adam, Collectives& ranks) {
  const FlatParameters& parameters = encoder.parameters();
  load_parameters(checkpoint.seal, "weights", parameters, parameters.values(), ranks);
  load_parameters(checkpoint.seal, "adam_m", parameters, adam.first_moment(), ranks);
  load_parameters(checkpoint.seal, "adam_v", parameters, adam.second_moment(), ranks);
  on_root(ranks, [&] {
    for (std::size_t i = 0; i < SequenceEncoder::running_names.size(); ++i)
      read_tensor(*checkpoint.seal, std::string("running/") + SequenceEncoder::running_names[i], encoder.running()[i]);
  });
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
  adam.set_steps(checkpoint.step);
}

}  // namespace

void train_sequence_encoder(SequenceEncoder& encoder, const SequenceJob& job, TrainContext& context) {
  Collectives& ranks = context.ranks;
  const OneThreadEach each(context.shards > 0);
  AdamW adam(encoder.parameters(), {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0});
  SequenceSteps steps(encoder, adam, job, context.device.is_cpu() ? each.threads() : 1, context);
  Saver saver(job.checkpoints, job.cadence, "sequence", context);
  std::int64_t done = 0;
  if (job.checkpoints != nullptr)
    if (const auto found = job.checkpoints->load()) {
      restore(*found, encoder, adam, ranks);
      done = found->step;
      context.log.event("sequence", "resumed", done);
      log::info("resumed at step {} of {} of stage 1", done, steps.total());
    }
  Progress progress(job.title, steps.total(), context.show_progress, done);
  while (done < steps.total()) {
    job.poll();
    const TakenSequenceStep step = steps.take(done);
    done = step.number;
    Json line = describe(step);
    if (!job.encoder.empty()) line["encoder"] = job.encoder;
    context.log.write(line);
    progress.update(done, fmt::format("epoch {}/{}, loss {:.4f}, {:.0f} cells/s", step.epoch, job.settings.epochs,
                                      step.loss, step.cells_per_second()));
    const StepVotes votes = share_votes(ranks, saver.votes(step.epoch_ends));
    ranks.end_step();
    saver.after_step(done, step.epoch, step.epoch_ends, /*last=*/false, votes, [&](bool copy) {
      SavedState state = state_of(encoder, adam, ranks, copy);
      state.header = describe_position(steps.plan(), done, steps.total(), step.loss);
      state.header.update(job.description);
      return state;
    });
    if (votes.stop) leave_as_asked(context, "sequence", done, fmt::format("at step {} of stage 1", done));
  }
  agree_on_weights(encoder.parameters(), "sequence", done, context);
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
}

}  // namespace masksc
