#include "masksc/run/stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "masksc/cluster/order.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/text.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "masksc/run/model_files.hpp"
#include "masksc/train/sequence_trainer.hpp"
#include "masksc/train/stop.hpp"
#include "masksc/train/trace.hpp"

namespace masksc {
namespace {

/// Whether an interrupted run left its prepared file sound.
bool still_prepared(const std::filesystem::path& path) {
  try {
    return is_prepared(path);
  } catch (const UserError& e) {
    log::warning("{}; the counts are read again", e.what());
    return false;
  }
}

/// The prepared file of this input: the input itself, the one of an interrupted run, or a new one.
std::filesystem::path prepared_path(const RunOptions& options, const RunFolder& folder, const InputIdentity& identity,
                                    std::vector<std::string>& warnings) {
  if (is_prepared(options.input)) return options.input;
  const std::filesystem::path path = folder.path("prepared.h5");
  if (folder.state() != FolderState::empty && folder.recorded_input().same_file(identity) && still_prepared(path))
    return path;
  const PreparationReport report = prepare_counts(options.input, options.counts, path);
  if (report.empty_cells_dropped > 0) {
    warnings.push_back(
        fmt::format("{} cells without counts are left out of the run and its results", report.empty_cells_dropped));
    log::warning("{}", warnings.back());
  }
  return path;
}

/// Batches of this rank's cells, each cell once, for the statistics of the targets.
auto every_patch(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                 at::Device device) {
  return [&expression, &densifier, patch_genes, device](const std::function<void(const at::Tensor&)>& work) {
    for_each_tile(expression, densifier, patch_genes, device,
                  [&](const Tile& tile) { work(tile.patches.narrow(0, tile.first_used, tile.rows.size())); });
  };
}

/// LibTorch's threads while the training engine has its own.
class OneThreadEach {
 public:
  OneThreadEach() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThreadEach() { at::set_num_threads(threads_); }
  OneThreadEach(const OneThreadEach&) = delete;
  OneThreadEach& operator=(const OneThreadEach&) = delete;
  [[nodiscard]] int threads() const { return threads_; }

 private:
  int threads_;
};

constexpr std::uint32_t whole_set = 1;  // sets of starting parameters; 0 is the masked autoencoder's
constexpr std::uint32_t per_patch_set = 2;

/// A sequence encoder that the targets need, and where it is kept in model/.
struct NeededEncoder {
  SequenceShape shape;
  std::uint32_t parameter_set;
  const char* file;
  const char* title;

  [[nodiscard]] std::shared_ptr<SequenceEncoder>& of(SequenceEncoders& encoders) const {
    return parameter_set == whole_set ? encoders.whole : encoders.per_patch;
  }
};

std::filesystem::path given_file(const RunOptions& options, const NeededEncoder& needed) {
  return std::filesystem::path(options.sequence.model) / needed.file;
}

std::vector<NeededEncoder> needed_encoders(const TargetSettings& target, const Expression& expression) {
  const std::int64_t patch_genes = expression.layout.patch * expression.layout.patch;
  const std::int64_t tokens = expression.layout.tokens_with_genes();
  std::vector<NeededEncoder> needed;
  if (Targets::needs_whole(target))
    needed.push_back(
        {{.groups = 1, .inputs = tokens * patch_genes}, whole_set, "sequence_encoder.h5", "sequence encoder: step"});
  if (Targets::needs_per_patch(target))
    needed.push_back(
        {{.groups = tokens, .inputs = patch_genes}, per_patch_set, "patch_encoder.h5", "patch encoders: step"});
  return needed;
}

void poll_stop(Collectives& ranks, const char* stage) {
  if (ranks.all_reduce(std::int32_t{stop_requested() ? 1 : 0}, ReduceOp::max) != 0)
    throw StopRequested(fmt::format("stopped on request while {}; start the same command to resume", stage));
}

std::int64_t count_categories(const Labels& labels) {
  std::set<std::int32_t> found(labels.codes.begin(), labels.codes.end());
  found.erase(-1);
  return static_cast<std::int64_t>(found.size());
}

}  // namespace

RunInput prepare_input(const RunOptions& options, RunFolder& folder, Collectives& ranks) {
  RunInput input;
  folder.make();
  std::string path;
  on_root(ranks, [&] {
    input.identity = identify(options.input);
    path = prepared_path(options, folder, input.identity, input.warnings).string();
  });
  path = broadcast_text(ranks, path);
  input.file = std::make_unique<PreparedFile>(path, ranks);
  input.identity.fingerprint = input.file->fingerprint();
  folder.check_data(input.identity.fingerprint);
  const std::int64_t cells = input.file->cells();
  if (ranks.size() > cells)
    throw UserError(fmt::format("{} ranks for {} cells: use at most one rank a cell", ranks.size(), cells));
  const RowRange rows = rows_of_rank(cells, ranks.rank(), ranks.size());
  input.expression = prepare_expression(input.file->read_rows(rows), cells, rows, input.file->gene_names(),
                                        input.file->highly_variable(), options.preparation, ranks);
  if (!options.counts.labels.empty()) {
    input.labels = input.file->labels();
    if (input.labels.empty())
      throw UserError(fmt::format("the prepared file '{}' holds no labels; prepare it with --labels {}", path,
                                  options.counts.labels));
    input.label_count = count_categories(input.labels);
  }
  return input;
}

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
    load_sequence_encoder(given_file(options, needed), *encoder, genes, ranks);
    needed.of(given) = encoder;
  }
  return given;
}

SequenceEncoders sequence_stage(const RunOptions& options, const Expression& expression, const RunFolder& folder,
                                SequenceEncoders given, TrainContext& context) {
  const std::string genes = genes_hash(expression);
  const auto seed = static_cast<std::uint64_t>(options.train.seed);
  for (const NeededEncoder& needed : needed_encoders(options.target, expression)) {
    std::shared_ptr<SequenceEncoder>& encoder = needed.of(given);
    const std::filesystem::path own = folder.path("model") / needed.file;
    std::int32_t saved = 0;  // by the interrupted run that this one continues
    on_root(context.ranks, [&] { saved = std::filesystem::exists(own) ? 1 : 0; });
    context.ranks.broadcast(std::span(&saved, 1));
    if (saved == 0 && encoder) {
      log::info("stage 1: the sequence encoder of {}", given_file(options, needed).string());
    } else {
      encoder = std::make_shared<SequenceEncoder>(needed.shape, seed, needed.parameter_set, context.device);
      if (saved == 1) {
        load_sequence_encoder(own, *encoder, genes, context.ranks);
        log::info("stage 1: the sequence encoder of {}", own.string());
      } else {
        train_sequence_encoder(*encoder, expression, options.sequence, seed, needed.title, context);
      }
    }
    if (saved == 0) on_root(context.ranks, [&] { save_sequence_encoder(own, *encoder, genes); });
  }
  return given;
}

Targets target_stage(const RunOptions& options, const Expression& expression, const SequenceEncoders& encoders,
                     TrainContext& context) {
  const Densifier densifier(expression);
  const std::int64_t patch_genes = expression.layout.patch * expression.layout.patch;
  Targets targets(options.target, densifier.width() / patch_genes, patch_genes, encoders.whole, encoders.per_patch,
                  context.device);
  targets.standardise(every_patch(expression, densifier, patch_genes, context.device), expression.cells, context.ranks);
  return targets;
}

TrainOutcome train_stage(const RunOptions& options, const Expression& expression, const Targets& targets,
                         const std::string& checkpoint_fingerprint, const RunFolder& folder, MaskedAutoencoder& model,
                         TrainContext& context) {
  const OneThreadEach each;
  TrainingEngine engine(model.parameters(), options.train, options.engine, context.ranks, each.threads(), context.nccl);
  model.set_recompute(recompute_of(options.engine));
  const std::int64_t rows = BatchPlan(expression.cells, options.train.batch_size).padded_rows(context.ranks.size());
  const std::int64_t micro_batch = micro_batch_of(options.engine, rows, model.shape().tokens(), options.model.dim,
                                                  context.device.is_cpu(), each.threads());
  CheckpointFolder checkpoints(folder.path("checkpoints"), checkpoint_fingerprint, options.run.keep_last,
                               context.ranks);
  std::optional<TrainState> resumed;
  if (options.run.resume == "auto")
    resumed = checkpoints.load(model.parameters());
  else if (options.run.resume != "never")
    resumed = checkpoints.load(model.parameters(), std::filesystem::path(options.run.resume));
  if (resumed) {
    engine.restore(*resumed);
    context.log.event("train", "resumed", resumed->step);
    log::info("resumed at step {} of {}", resumed->step, total_steps(expression.cells, options.train));
  }
  StepTrace trace(options.engine.profile, folder.path(fmt::format("trace-{}.json", context.ranks.rank())).string());
  const TrainJob job{.expression = expression,
                     .targets = targets,
                     .target_settings = options.target,
                     .settings = options.train,
                     .micro_batch = micro_batch,
                     .checkpoint_every_steps = options.run.checkpoint_every_steps,
                     .checkpoints = &checkpoints,
                     .first_step = resumed ? resumed->step : 0,
                     .watch = [&](std::int64_t step, bool begins) { trace.step(step, begins); }};
  return train(model, engine, job, context);
}

DenseMatrix embed_stage(const Expression& expression, const MaskedAutoencoder& model, TrainContext& context) {
  const Densifier densifier(expression);
  Progress progress("embedding: cell", expression.rows.size(), context.show_progress);
  DenseMatrix embedding = embed_cells(model, expression, densifier, context.device,
                                      [&](std::int64_t done) { progress.update(done, "this rank's cells"); });
  poll_stop(context.ranks, "embedding");
  return embedding;
}

ClusterOutcome cluster_stage(const RunOptions& options, const RunInput& input, const DenseMatrix& embedding,
                             TrainContext& context) {
  Collectives& ranks = context.ranks;
  const Expression& expression = input.expression;
  const auto poll = [&] { poll_stop(ranks, "clustering"); };
  ClusterOutcome outcome;
  const ClusterCount count =
      decide_clusters(options.cluster, input.label_count, embedding, expression.rows, expression.cells,
                      static_cast<std::uint64_t>(options.train.seed), ranks, poll);
  outcome.clusters = count.clusters;
  outcome.clusters_by = count.source;
  const KMeansSettings settings{.clusters = outcome.clusters,
                                .restarts = options.cluster.restarts,
                                .max_iterations = options.cluster.max_iterations,
                                .seed = static_cast<std::uint64_t>(options.train.seed)};
  KMeansResult result = kmeans(embedding, expression.rows, expression.cells, settings, ranks, poll);
  number_by_size(result, ranks);
  outcome.local = std::move(result.labels);
  outcome.all = ranks.gather_varied(std::span<const std::int32_t>(outcome.local));
  outcome.silhouette = silhouette(embedding, expression.rows, expression.cells, outcome.local, ranks, poll);
  if (ranks.is_root() && !input.labels.empty()) {
    std::vector<std::int32_t> truth;
    std::vector<std::int32_t> found;
    for (std::size_t i = 0; i < outcome.all.size(); ++i) {
      if (input.labels.codes[i] < 0) continue;
      truth.push_back(input.labels.codes[i]);
      found.push_back(outcome.all[i]);
    }
    if (!truth.empty()) {
      outcome.ari = adjusted_rand_index(truth, found);
      outcome.nmi = normalized_mutual_information(truth, found);
    }
  }
  return outcome;
}

}  // namespace masksc
