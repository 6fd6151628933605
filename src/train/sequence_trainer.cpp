#include "masksc/train/sequence_trainer.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "agreed_weights.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/dropout.hpp"
#include "masksc/model/sequence_shards.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/train/checkpoint.hpp"
#include "masksc/train/optimizer.hpp"

namespace masksc {
namespace {

/// contrastive-sc's schedule: cosine over the epochs, never quite zero.
double epoch_learning_rate(std::int64_t epoch, const SequenceSettings& settings) {
  const double done = static_cast<double>(epoch) / static_cast<double>(settings.epochs);
  return settings.learning_rate * (0.5 * (1 + std::cos(std::numbers::pi * done)) + 1e-3);
}

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
  on_root(ranks, [&] {
    read_parameters(*checkpoint.seal, "weights", parameters, parameters.values());
    read_parameters(*checkpoint.seal, "adam_m", parameters, adam.first_moment());
    read_parameters(*checkpoint.seal, "adam_v", parameters, adam.second_moment());
    for (std::size_t i = 0; i < SequenceEncoder::running_names.size(); ++i)
      read_tensor(*checkpoint.seal, std::string("running/") + SequenceEncoder::running_names[i], encoder.running()[i]);
  });
  for (const at::Tensor& tensor : {parameters.values(), adam.first_moment(), adam.second_moment()})
    broadcast(ranks, tensor);
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
  adam.set_steps(checkpoint.step);
}

/// What a step computes with.
struct Step {
  SequenceEncoder& encoder;
  const SequenceSettings& settings;
  std::uint64_t seed;
  std::uint32_t epoch;
  const Batch& batch;
  TrainContext& context;
};

/// The loss of the global batch; leaves its gradient, summed over ranks, in the encoder.
double compute_gradient(const Step& step) {
  const Batch& batch = step.batch;
  Collectives& ranks = step.context.ranks;
  const at::Tensor x = dense_rows(batch, step.context);
  const at::Tensor weights = to_tensor(batch.weights, step.context.device);
  const at::Tensor cells = to_tensor(batch.cells, {batch.rows}, step.context.device);
  const auto view = [&](std::uint32_t layer) {
    const DropoutKey key{step.seed, step.epoch, layer, cells};
    return step.encoder.train_forward(keyed_dropout(x, step.settings.dropout, key), weights, batch.global_cells, ranks);
  };
  const at::Tensor view1 = view(0);
  const at::Tensor view2 = view(1);
  const ContrastiveResult result =
      contrastive_loss(view1, view2, batch.real, step.settings.loss, step.settings.temperature, ranks);

  const at::Tensor& gradients = step.encoder.parameters().gradients();
  at::Tensor(gradients).zero_();
  torch::autograd::backward({view1, view2}, {result.gradient1, result.gradient2});
  all_reduce(ranks, gradients);
  return result.loss;
}

/// This rank's shards of a batch, with the two views of their cells.
std::vector<SequenceShard> shards_of(const Step& step) {
  const Batch& batch = step.batch;
  const at::Tensor x = dense_rows(batch, step.context);
  const at::Tensor weights = to_tensor(batch.weights, step.context.device);
  const at::Tensor all_cells = to_tensor(batch.cells, {batch.rows}, step.context.device);
  std::vector<SequenceShard> shards;
  for (std::int64_t first = 0; first < batch.rows; first += batch.part_rows) {
    SequenceShard& shard = shards.emplace_back();
    const at::Tensor cells = all_cells.narrow(0, first, batch.part_rows);
    // Copies: the bits of a product may depend on where its rows lie in memory.
    const at::Tensor rows = x.narrow(0, first, batch.part_rows).clone();
    for (std::uint32_t layer = 0; layer < 2; ++layer)
      shard.views[layer] = keyed_dropout(rows, step.settings.dropout, {step.seed, step.epoch, layer, cells});
    shard.weights = weights.narrow(0, first, batch.part_rows).clone();
  }
  return shards;
}

/// The same in parts and sums that do not depend on the number of ranks.
double compute_gradient_of_shards(const Step& step, int threads) {
  const Batch& batch = step.batch;
  const std::vector<SequenceShard> shards = shards_of(step);
  ShardedSequencePass pass(step.encoder, shards, batch.global_cells, threads, step.context.ranks);
  const auto answers = pass.forward();
  const auto real_rows = [&](std::size_t view) {  // [g, real, outputs]
    std::vector<at::Tensor> rows;
    for (std::size_t s = 0; s < answers.size(); ++s) rows.push_back(answers[s][view].narrow(1, 0, batch.part_real[s]));
    return at::cat(rows, 1);
  };
  const ContrastiveResult result = contrastive_loss(real_rows(0), real_rows(1), batch.real, step.settings.loss,
                                                    step.settings.temperature, step.context.ranks);
  std::vector<std::array<at::Tensor, 2>> gradients;
  std::int64_t first = 0;
  for (std::size_t s = 0; s < answers.size(); ++s) {
    auto& mine = gradients.emplace_back();
    for (std::size_t view = 0; view < 2; ++view) {
      mine[view] = at::zeros_like(answers[s][view]);
      const at::Tensor& all = view == 0 ? result.gradient1 : result.gradient2;
      mine[view].narrow(1, 0, batch.part_real[s]).copy_(all.narrow(1, first, batch.part_real[s]));
    }
    first += batch.part_real[s];
  }
  pass.backward(gradients);
  return result.loss;
}

}  // namespace

void train_sequence_encoder(SequenceEncoder& encoder, const SequenceJob& job, TrainContext& context) {
  Collectives& ranks = context.ranks;
  const SequenceSettings& settings = job.settings;
  const OneThreadEach each(context.shards > 0);
  const int threads = context.device.is_cpu() ? each.threads() : 1;
  Loader loader(job.expression, settings.batch_size, job.seed, /*stage=*/1, ranks,
                loader_settings(context, context.shards));
  AdamW adam(encoder.parameters(), {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0});
  const std::int64_t steps = loader.plan().steps;
  const std::int64_t total = settings.epochs * steps;
  Saver saver(job.checkpoints, job.cadence, "sequence", context);
  std::int64_t done = 0;
  if (job.checkpoints != nullptr)
    if (const auto found = job.checkpoints->load()) {
      restore(*found, encoder, adam, ranks);
      done = found->step;
      context.log.event("sequence", "resumed", done);
      log::info("resumed at step {} of {} of stage 1", done, total);
    }
  Progress progress(job.title, total, context.show_progress, done);
  for (bool starts = true; done < total; starts = false) {
    job.poll();
    const std::int64_t epoch = done / steps;
    const std::int64_t step = done % steps;
    const double learning_rate = epoch_learning_rate(epoch, settings);
    if (step == 0 || starts) loader.start_epoch(static_cast<std::uint32_t>(epoch));
    const Stopwatch stopwatch;
    const Batch batch = loader.batch(step);
    ranks.begin_step(done + 1);  // reading the batch may take one rank longer than others
    const Step computed{encoder, settings, job.seed, static_cast<std::uint32_t>(epoch), batch, context};
    const double loss = context.shards > 0 ? compute_gradient_of_shards(computed, threads) : compute_gradient(computed);
    const double norm = encoder.parameters().gradients().norm().item<double>();
    if (!std::isfinite(loss) || !std::isfinite(norm))
      throw UserError(fmt::format(
          "the contrastive loss is not finite at step {} of stage 1; lower --sequence-learning-rate (now {})", done + 1,
          settings.learning_rate));
    adam.step(encoder.parameters(), learning_rate);

    ++done;
    const double seconds = stopwatch.seconds();
    const double speed = static_cast<double>(batch.global_cells) / seconds;
    Json line = {{"stage", "sequence"},
                 {"epoch", epoch + 1},
                 {"step", done},
                 {"loss", loss},
                 {"learning_rate", learning_rate},
                 {"gradient_norm", norm},
                 {"cells_per_second", speed},
                 {"time", log_time()}};
    if (!job.encoder.empty()) line["encoder"] = job.encoder;
    context.log.write(line);
    progress.update(done,
                    fmt::format("epoch {}/{}, loss {:.4f}, {:.0f} cells/s", epoch + 1, settings.epochs, loss, speed));
    const bool epoch_ends = step + 1 == steps;
    const StepVotes votes = share_votes(ranks, saver.votes(epoch_ends));
    ranks.end_step();
    saver.after_step(done, epoch + 1, epoch_ends, /*last=*/false, votes, [&](bool copy) {
      SavedState state = state_of(encoder, adam, ranks, copy);
      state.header = describe_position(loader.plan(), done, total, loss);
      state.header.update(job.description);
      return state;
    });
    if (votes.stop) leave_as_asked(context, "sequence", done, fmt::format("at step {} of stage 1", done));
  }
  agree_on_weights(encoder.parameters(), "sequence", done, context);
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
}

}  // namespace masksc
