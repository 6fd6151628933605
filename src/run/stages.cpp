#include "masksc/run/stages.hpp"

#include <fmt/format.h>

#include "guidance.hpp"
#include "masksc/core/log.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/run/model_description.hpp"
#include "masksc/train/recording.hpp"
#include "masksc/train/sequence_trainer.hpp"
#include "masksc/train/trace.hpp"
#include "model_files.hpp"
#include "stage_files.hpp"

namespace masksc {
namespace {

/// Batches of this rank's cells, each cell once, for the statistics of the targets.
auto every_patch(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes, at::Device device,
                 int threads) {
  return [&expression, &densifier, patch_genes, device, threads](const TileWork& work) {
    for_each_tile(expression, densifier, patch_genes, device, work, threads);
  };
}

constexpr std::uint32_t whole_set = 1;  // sets of starting parameters; 0 is the masked autoencoder's
constexpr std::uint32_t per_patch_set = 2;

/// A sequence encoder that the targets need, and where it is kept in model/.
struct NeededEncoder {
  SequenceShape shape;
  std::uint32_t parameter_set;
  const char* file;
  const char* stage;  // of its checkpoints
  const char* title;

  [[nodiscard]] std::shared_ptr<SequenceEncoder>& of(SequenceEncoders& encoders) const {
    return parameter_set == whole_set ? encoders.whole : encoders.per_patch;
  }
};

std::filesystem::path given_file(const RunOptions& options, const NeededEncoder& needed) {
  return std::filesystem::path(options.sequence.model) / needed.file;
}

/// The folder of a run in place of its model/ is a likely mistake. Throws UserError.
void check_given(const std::string& folder, const char* file) {
  const std::filesystem::path path = folder;
  if (!std::filesystem::exists(path / file) && std::filesystem::exists(path / "model" / file))
    throw UserError(
        fmt::format("--sequence-model {}: that is the folder of a run; give {}", folder, (path / "model").string()));
}

std::vector<NeededEncoder> needed_encoders(const TargetSettings& target, const Expression& expression) {
  const std::int64_t patch_genes = expression.layout.patch_genes();
  const std::int64_t tokens = expression.layout.tokens_with_genes();
  std::vector<NeededEncoder> needed;
  if (Targets::needs_whole(target))
    needed.push_back({{.groups = 1, .inputs = tokens * patch_genes},
                      whole_set,
                      "sequence_encoder.h5",
                      "sequence",
                      "sequence encoder: step"});
  if (Targets::needs_per_patch(target))
    needed.push_back({{.groups = tokens, .inputs = patch_genes},
                      per_patch_set,
                      "patch_encoder.h5",
                      "patch",
                      "patch encoders: step"});
  return needed;
}

/// What guides, as an earlier process of the run has decided: on other ranks or processors another rounding might
/// decide otherwise, and the model of the checkpoints would be another.
TargetSettings remembered_guidance(const RunUnderWay& run, const SequenceEncoders& encoders, const ForEachTile& tiles) {
  Collectives& ranks = run.context.ranks;
  const std::filesystem::path file = run.folder.path("checkpoints") / "guidance.json";
  const Json identity = training_identity(run.options, run.identity, encoders.hash());
  TargetSettings settings = run.options.target;
  if (settings.guidance <= 0 || settings.guidance_target != GuidanceTarget::automatic) return settings;
  settings.guidance_target = load_guidance(file, identity, ranks);
  if (settings.guidance_target != GuidanceTarget::automatic) return settings;
  settings = decide_guidance(run.options.target, encoders, tiles, run.input,
                             static_cast<std::uint64_t>(run.options.train.seed), ranks);
  on_root(ranks, [&] {
    try {
      save_guidance(file, identity, settings.guidance_target);
    } catch (const EnvironmentError& e) {  // as a checkpoint that can't be saved
      log::warning("what guides is not saved, the run goes on: {}", e.what());
    }
  });
  return settings;
}

/// Gives `engine` the state of the run's newest checkpoint, or of the one that --resume names; none where there is
/// none. A collective. Throws UserError for one that is beyond the `total` steps.
std::optional<Checkpoint> resume_training(const RunUnderWay& run, CheckpointFolder& checkpoints, std::int64_t total,
                                          TrainingEngine& engine) {
  std::optional<Checkpoint> resumed = checkpoints.load();  // with --resume never RunFolder has removed them
  const std::filesystem::path given = run.options.run.resumed_path();
  if (!given.empty() && resumed)
    log::warning(
        "--resume {} is not used: this run has a checkpoint of its own, of step {}; to start from that one "
        "give another --output",
        given.string(), resumed->step);
  else if (!given.empty())
    resumed = checkpoints.load(given);
  if (!resumed) return resumed;
  if (resumed->step > total)
    throw UserError(fmt::format("the checkpoint of step {} is beyond the {} steps asked for; give more --epochs",
                                resumed->step, total));
  engine.restore(*resumed);
  run.context.log.event("train", "resumed", resumed->step);
  log::info("resumed at step {} of {}", resumed->step, total);
  return resumed;
}

void warn_of_untraced_steps(const RunUnderWay& run, std::int64_t first, std::int64_t total) {
  const std::string& profile = run.options.engine.profile;
  const std::int64_t traced = profiled_steps(profile).first;
  if (run.context.ranks.is_root() && traced > 0 && (traced > total || traced < first))
    log::warning("--profile {}: there is no trace of steps that this process does not train ({} to {})", profile, first,
                 total);
}

}  // namespace

std::string SequenceEncoders::hash() const {
  return (whole ? whole->parameters().hash() : std::string("-")) + (per_patch ? per_patch->parameters().hash() : "-");
}

SequenceEncoders given_sequence_encoders(const RunOptions& options, const Expression& expression, at::Device device,
                                         Collectives& ranks) {
  SequenceEncoders given;
  if (options.sequence.model.empty()) return given;
  const std::string genes = genes_hash(expression);
  for (const NeededEncoder& needed : needed_encoders(options.target, expression)) {
    auto encoder = std::make_shared<SequenceEncoder>(needed.shape, 0, needed.parameter_set, device);
    on_root(ranks, [&] { check_given(options.sequence.model, needed.file); });
    load_sequence_encoder(given_file(options, needed), *encoder, genes, ranks);
    needed.of(given) = encoder;
  }
  return given;
}

SequenceEncoders sequence_stage(const RunUnderWay& run, SequenceEncoders given) {
  const RunOptions& options = run.options;
  const RunIdentity& identity = run.identity;
  TrainContext& context = run.context;
  const auto seed = static_cast<std::uint64_t>(options.train.seed);
  for (const NeededEncoder& needed : needed_encoders(options.target, run.input.expression)) {
    std::shared_ptr<SequenceEncoder>& encoder = needed.of(given);
    const std::filesystem::path own = run.folder.path("model") / needed.file;
    // By the interrupted run that this one continues.
    const bool saved = of_root(context.ranks, [&] { return std::filesystem::exists(own); });
    if (!saved && encoder) {
      log::info("stage 1: the sequence encoder of {}", given_file(options, needed).string());
      on_root(context.ranks, [&] { save_sequence_encoder(own, *encoder, identity.genes); });
      continue;
    }
    encoder = std::make_shared<SequenceEncoder>(needed.shape, seed, needed.parameter_set, context.device);
    if (saved) {
      load_sequence_encoder(own, *encoder, identity.genes, context.ranks);
      log::info("stage 1: the sequence encoder of {}", own.string());
      continue;
    }
    CheckpointFolder checkpoints(run.folder.path("checkpoints"), needed.stage, sequence_identity(options, identity),
                                 {options.run.keep_last, options.run.keep_every}, context.ranks);
    train_sequence_encoder(*encoder,
                           {.expression = run.input.expression,
                            .settings = options.sequence,
                            .seed = seed,
                            .title = needed.title,
                            .encoder = needed.parameter_set == per_patch_set ? "patch" : "",
                            .cadence = options.run.cadence,
                            .checkpoints = &checkpoints,
                            .description = run.description},
                           context);
    on_root(context.ranks, [&] { save_sequence_encoder(own, *encoder, identity.genes); });
    checkpoints.remove_all();
  }
  return given;
}

Targets target_stage(const RunUnderWay& run, const SequenceEncoders& encoders) {
  const Expression& expression = run.input.expression;
  const TrainContext& context = run.context;
  const Densifier densifier(expression);
  const std::int64_t patch_genes = expression.layout.patch_genes();
  const OneThreadEach each(context.shards > 0);
  const int threads = context.tile_threads(each.threads());
  const auto tiles = every_patch(expression, densifier, patch_genes, context.device, threads);
  const TargetSettings settings = remembered_guidance(run, encoders, tiles);
  Targets targets(settings, densifier.width() / patch_genes, patch_genes, encoders.whole, encoders.per_patch,
                  context.device);
  targets.standardise(tiles, expression.cells, run.input.components.loadings, context.ranks,
                      context.shards > 0 ? threads : 0);
  return targets;
}

TrainOutcome train_stage(const RunUnderWay& run, const Targets& targets, const std::string& encoders_hash,
                         MaskedAutoencoder& model) {
  const RunOptions& options = run.options;
  const Expression& expression = run.input.expression;
  TrainContext& context = run.context;
  const OneThreadEach each;
  TrainingEngine engine(model.parameters(), options.train, options.engine, context.ranks, each.threads(), context.nccl,
                        options.engine.cuda_graph ? cuda_recorder(context.device) : nullptr);
  model.set_recompute(recompute_of(options.engine));
  const std::int64_t rows =
      BatchPlan(expression.cells, options.train.batch_size).padded_rows(options.train.parts(context.ranks.size()));
  // A pass of a virtual shard depends on nothing but the shard; there are others for the other threads.
  const int threads_of_a_part = options.train.deterministic ? 1 : each.threads();
  const std::int64_t micro_batch = micro_batch_of(options.engine, rows, model.shape().tokens(), options.model.dim,
                                                  context.device.is_cpu(), threads_of_a_part);
  CheckpointFolder checkpoints(run.folder.path("checkpoints"), training_stage,
                               training_identity(options, run.identity, encoders_hash),
                               {options.run.keep_last, options.run.keep_every}, context.ranks);
  const std::int64_t total = total_steps(expression.cells, options.train);
  const std::optional<Checkpoint> resumed = resume_training(run, checkpoints, total, engine);
  warn_of_untraced_steps(run, resumed ? resumed->step + 1 : 1, total);
  StepTrace trace(options.engine.profile, run.folder.path(fmt::format("trace-{}.json", context.ranks.rank())).string(),
                  context.ranks);
  const TrainJob job{.expression = expression,
                     .targets = targets,
                     .target_settings = options.target,
                     .settings = options.train,
                     .micro_batch = micro_batch,
                     .cadence = options.run.cadence,
                     .checkpoints = &checkpoints,
                     .description = run.description,
                     .max_bad_steps = options.run.max_bad_steps,
                     .resumed = resumed,
                     .around_step = [&](std::int64_t step, bool begins) { trace.step(step, begins); }};
  return train(model, engine, job, context);
}

}  // namespace masksc
