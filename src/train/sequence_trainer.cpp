#include "masksc/train/sequence_trainer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <numbers>

#include "masksc/core/progress.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/dropout.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/stop.hpp"

namespace masksc {
namespace {

/// contrastive-sc's schedule: cosine over the epochs, never quite zero.
double epoch_learning_rate(std::int64_t epoch, const SequenceSettings& settings) {
  const double done = static_cast<double>(epoch) / static_cast<double>(settings.epochs);
  return settings.learning_rate * (0.5 * (1 + std::cos(std::numbers::pi * done)) + 1e-3);
}

}  // namespace

void train_sequence_encoder(SequenceEncoder& encoder, const Expression& expression, const SequenceSettings& settings,
                            std::uint64_t seed, const char* name, TrainContext& context) {
  Collectives& ranks = context.ranks;
  Loader loader(expression, settings.batch_size, seed, /*stage=*/1, ranks);
  AdamW adam(encoder.parameters(), {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0});
  const std::int64_t steps = loader.plan().steps;
  Progress progress(name, settings.epochs * steps, context.show_progress);
  std::int64_t done = 0;
  for (std::int64_t epoch = 0; epoch < settings.epochs; ++epoch) {
    loader.start_epoch(static_cast<std::uint32_t>(epoch));
    const double learning_rate = epoch_learning_rate(epoch, settings);
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto start = std::chrono::steady_clock::now();
      ranks.set_step(done + 1);
      const Batch batch = loader.batch(step);
      const at::Tensor x = to_tensor(batch.values, context.device).view({batch.rows, loader.densifier().width()});
      const at::Tensor weights = to_tensor(batch.weights, context.device);
      const auto view = [&](std::uint32_t layer) {
        const DropoutKey key{seed, static_cast<std::uint32_t>(epoch), layer, batch.cells};
        return encoder.train_forward(keyed_dropout(x, settings.dropout, key), weights, batch.global_cells, ranks);
      };
      const at::Tensor view1 = view(0);
      const at::Tensor view2 = view(1);
      const ContrastiveResult result =
          contrastive_loss(view1, view2, batch.real, settings.loss, settings.temperature, ranks);

      encoder.parameters().gradients().zero_();
      torch::autograd::backward({view1, view2}, {result.gradient1, result.gradient2});
      all_reduce(ranks, encoder.parameters().gradients());
      const double norm = encoder.parameters().gradients().norm().item<double>();
      if (!std::isfinite(result.loss) || !std::isfinite(norm))
        throw UserError(fmt::format(
            "the contrastive loss is not finite at step {} of stage 1; lower --sequence-learning-rate (now {})",
            done + 1, settings.learning_rate));
      adam.step(encoder.parameters(), learning_rate);

      ++done;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const double speed = static_cast<double>(batch.global_cells) / seconds;
      context.log.write({{"stage", "sequence"},
                         {"epoch", epoch + 1},
                         {"step", done},
                         {"loss", result.loss},
                         {"learning_rate", learning_rate},
                         {"gradient_norm", norm},
                         {"cells_per_second", speed}});
      progress.update(done, fmt::format("loss {:.4f}, {:.0f} cells/s", result.loss, speed));
      if (ranks.all_reduce(std::int32_t{stop_requested() ? 1 : 0}, ReduceOp::max) != 0) {
        context.log.event("sequence", "stop", done);
        throw StopRequested(
            fmt::format("stopped on request at step {} of stage 1; start the same command to resume", done));
      }
    }
  }
}

}  // namespace masksc
