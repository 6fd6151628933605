#include "sequence_steps.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "masksc/core/log.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/dropout.hpp"
#include "masksc/model/sequence_shards.hpp"

namespace masksc {
namespace {

/// contrastive-sc's schedule: cosine over the epochs, never quite zero.
double epoch_learning_rate(std::int64_t epoch, const SequenceSettings& settings) {
  const double done = static_cast<double>(epoch) / static_cast<double>(settings.epochs);
  return settings.learning_rate * (0.5 * (1 + std::cos(std::numbers::pi * done)) + 1e-3);
}

/// What the gradient of a step is computed from.
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

Json describe(const TakenSequenceStep& step) {
  return {{"stage", "sequence"},
          {"epoch", step.epoch},
          {"step", step.number},
          {"loss", step.loss},
          {"learning_rate", step.learning_rate},
          {"gradient_norm", step.gradient_norm},
          {"cells_per_second", step.cells_per_second()},
          {"time", log_time()}};
}

SequenceSteps::SequenceSteps(SequenceEncoder& encoder, AdamW& adam, const SequenceJob& job, int threads,
                             TrainContext& context)
    : encoder_(encoder),
      adam_(adam),
      job_(job),
      threads_(threads),
      context_(context),
      loader_(job.expression, job.settings.batch_size, job.seed, ShuffleStream::sequence, context.ranks,
              loader_settings(context, context.shards)) {}

TakenSequenceStep SequenceSteps::take(std::int64_t done) {
  const std::int64_t epoch = done / plan().steps;
  const std::int64_t step = done % plan().steps;  // of the epoch
  if (step == 0 || begins_) loader_.start_epoch(static_cast<std::uint32_t>(epoch));
  begins_ = false;
  const Stopwatch stopwatch;
  const Batch batch = loader_.batch(step);
  context_.ranks.begin_step(done + 1);  // reading the batch may take one rank longer than others
  const Step computed{encoder_, job_.settings, job_.seed, static_cast<std::uint32_t>(epoch), batch, context_};
  TakenSequenceStep taken{.number = done + 1,
                          .epoch = epoch + 1,
                          .epoch_ends = step + 1 == plan().steps,
                          .cells = batch.global_cells,
                          .learning_rate = epoch_learning_rate(epoch, job_.settings)};
  taken.loss = context_.shards > 0 ? compute_gradient_of_shards(computed, threads_) : compute_gradient(computed);
  taken.gradient_norm = encoder_.parameters().gradients().norm().item<double>();
  if (!std::isfinite(taken.loss) || !std::isfinite(taken.gradient_norm))
    throw UserError(
        fmt::format("the contrastive loss is not finite at step {} of stage 1; lower --sequence-learning-rate (now {})",
                    taken.number, job_.settings.learning_rate));
  adam_.step(encoder_.parameters(), taken.learning_rate);
  taken.seconds = stopwatch.seconds();
  return taken;
}

}  // namespace masksc
