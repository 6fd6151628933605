// Short trainings of a small model on threads as ranks.
#pragma once

#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "masksc/embed/embed.hpp"
#include "masksc/model/components.hpp"
#include "masksc/train/trainer.hpp"
#include "patch_grid.hpp"
#include "small_expression.hpp"
#include "temporary_folder.hpp"

namespace masksc {

inline constexpr std::int64_t cells = 50;
inline constexpr std::int64_t side = 6;
inline constexpr std::int64_t patch = 2;

inline TrainSettings short_training() {
  TrainSettings settings;
  settings.epochs = 3;
  settings.batch_size = 16;
  settings.seed = 4;
  return settings;
}

inline AutoencoderShape small_shape(double dropout = 0, Decoder decoder = Decoder::full,
                                    Positions positions = Positions::sincos) {
  AutoencoderShape shape;
  shape.patch_genes = patch * patch;
  shape.token_places = token_grid(3, 3);
  shape.target_features = 60;
  shape.teacher_features = 60;
  shape.model = {.dim = 16,
                 .encoder_depth = 2,
                 .encoder_heads = 2,
                 .decoder_depth = 1,
                 .decoder_heads = 2,
                 .decoder = decoder,
                 .mask_ratio = 0.5,
                 .positions = positions,
                 .dropout = dropout};
  return shape;
}

inline Targets targets_of(const Expression& expression, Collectives& ranks, int exact_threads = 0,
                          GuidanceTarget guided_by = GuidanceTarget::sequence, at::Device device = at::kCPU) {
  const Densifier densifier(expression);
  const auto whole = std::make_shared<SequenceEncoder>(SequenceShape{.groups = 1, .inputs = side * side}, 9, 1, device);
  Targets targets({.target = Target::contrastive, .guidance = 1, .guidance_target = guided_by}, 9, patch * patch, whole,
                  nullptr, device);
  const auto tiles = [&](int threads) {
    return [&, threads](const TileWork& work) {
      for_each_tile(expression, densifier, patch * patch, device, work, threads);
    };
  };
  at::Tensor loadings;
  if (guided_by != GuidanceTarget::sequence)
    loadings = component_axes(tiles(1), side * side, kGuidanceComponents, ranks, device).loadings;
  targets.standardise(tiles(std::max(exact_threads, 1)), expression.cells, loadings, ranks, exact_threads);
  return targets;
}

struct Course {
  std::vector<double> losses;             // of each step as it was done; NaN where not finite
  std::vector<Json> events;               // the other lines of the log
  at::Tensor weights;                     // of rank 0
  std::vector<at::Tensor> other_weights;  // of the others
  std::int64_t optimizer_elements = 0;    // of a moment on rank 0
};

struct CourseOptions {
  TrainSettings train = short_training();
  EngineSettings engine;
  double dropout = 0;
  Decoder decoder = Decoder::full;
  Positions positions = Positions::sincos;
  Recompute recompute;
  std::filesystem::path checkpoints;
  std::int64_t every = 0;  // steps between checkpoints
  bool background = false;
  std::int64_t max_bad_steps = 3;
  std::function<void(Expression&)> spoil = nullptr;
  int threads = 1;
  at::Device device = at::kCPU;
  bool resident = false;  // cells stay there
  std::function<std::unique_ptr<Recorder>()> recorder = nullptr;
  std::function<void(int rank)> before_step = nullptr;
  std::function<void(int rank, at::Tensor& weights)> change_weights = nullptr;  // before all
};

/// Trains on `size` ranks; rank 0's losses and weights.
inline Course course(int size, const CourseOptions& options) {
  Course result;
  result.other_weights.resize(static_cast<std::size_t>(size - 1));
  const TemporaryFolder logs;
  run_as_threads(size, [&](Collectives& ranks) {
    Expression expression = small_expression(cells, side, patch, ranks);
    const Targets targets = targets_of(expression, ranks, options.train.deterministic ? options.threads : 0,
                                       GuidanceTarget::sequence, options.device);
    if (options.spoil) options.spoil(expression);
    MaskedAutoencoder model(small_shape(options.dropout, options.decoder, options.positions), 4, options.device);
    model.set_recompute(options.recompute);
    at::Tensor weights = model.parameters().values();
    if (options.change_weights) options.change_weights(ranks.rank(), weights);
    TrainingEngine engine(model.parameters(), options.train, options.engine, ranks, options.threads, nullptr,
                          options.recorder ? options.recorder() : nullptr);
    RunLog log(logs / std::to_string(ranks.rank()));
    TrainContext context{ranks, log, options.device};
    std::optional<ResidentCells> resident;
    if (options.resident) context.resident = &resident.emplace(expression, options.device, ranks);
    TrainJob job{.expression = expression,
                 .targets = targets,
                 .target_settings = {.guidance = 1},
                 .settings = options.train,
                 .micro_batch = options.engine.micro_batch > 0 ? options.engine.micro_batch : cells,
                 .cadence = {.steps = options.every, .background = options.background},
                 .max_bad_steps = options.max_bad_steps};
    if (options.before_step)
      job.around_step = [&](std::int64_t /*step*/, bool begins) {
        if (begins) options.before_step(ranks.rank());
      };
    std::unique_ptr<CheckpointFolder> checkpoints;
    if (!options.checkpoints.empty()) {
      checkpoints = std::make_unique<CheckpointFolder>(options.checkpoints, "step", CheckpointIdentity{{"data", "d"}},
                                                       Retention{2, 0}, ranks);
      job.resumed = checkpoints->load();
      if (job.resumed) engine.restore(*job.resumed);
      job.checkpoints = checkpoints.get();
    }
    train(model, engine, job, context);
    (ranks.is_root() ? result.weights : result.other_weights[static_cast<std::size_t>(ranks.rank() - 1)]) =
        weights.cpu().clone();
    if (ranks.is_root()) result.optimizer_elements = engine.optimizer_elements();
  });
  std::ifstream lines(logs / "0");
  for (std::string line; std::getline(lines, line);)
    if (Json entry = parse_json(line); entry.contains("loss"))
      result.losses.push_back(entry["loss"].is_number() ? entry["loss"].get<double>() : std::nan(""));
    else
      result.events.push_back(std::move(entry));
  return result;
}

inline Course course(int size, TrainSettings settings, double dropout = 0,
                     const std::filesystem::path& checkpoints = {}, std::int64_t every = 0) {
  CourseOptions options;
  options.train = settings;
  options.dropout = dropout;
  options.checkpoints = checkpoints;
  options.every = every;
  return course(size, options);
}

}  // namespace masksc
