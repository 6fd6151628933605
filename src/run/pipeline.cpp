#include "masksc/run/pipeline.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string_view>

#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/core/version.hpp"
#include "masksc/dist/heartbeat.hpp"
#include "masksc/dist/time_limit.hpp"
#include "masksc/io/checkpoint_folder.hpp"
#include "masksc/io/sealed_file.hpp"
#include "masksc/model/device.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/folder.hpp"
#include "masksc/run/model_description.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/run/stages.hpp"
#include "masksc/train/recording.hpp"
#include "model_files.hpp"
#include "nccl_choice.hpp"
#include "outputs.hpp"
#include "run_metrics.hpp"
#include "stage_clock.hpp"
#include "standardization.hpp"
#include "tensorboard.hpp"

namespace masksc {
namespace {

AutoencoderShape autoencoder_shape(const RunOptions& options, const Expression& expression, const Targets& targets) {
  const MatrixLayout& layout = expression.layout;
  AutoencoderShape shape;
  shape.patch_genes = layout.patch_genes();
  shape.token_places = token_places(layout);
  shape.target_features = targets.target_features();
  shape.teacher_features = targets.teacher_features();
  shape.predicted_features =
      std::string_view(targets.guided_by()) == "components" && options.target.guidance_token == GuidanceToken::mean;
  shape.model = options.model;
  return shape;
}

/// What passed before the first stage.
struct SecondsBefore {
  double earlier = 0;  // in earlier processes of this run
  double prepare = 0;
};

/// Everything after the input is known to be good.
Json train_and_cluster(const RunUnderWay& run, const SecondsBefore& before, const std::string& configuration,
                       const SequenceEncoders& given, Heartbeat& heartbeat) {
  const RunOptions& options = run.options;
  const RunFolder& folder = run.folder;
  const Expression& expression = run.input.expression;
  TrainContext& context = run.context;
  Collectives& ranks = context.ranks;
  StageClock clock(context.log, heartbeat);
  clock.add("earlier", before.earlier);
  clock.add("prepare", before.prepare);
  const auto resident = choose_resident(options.engine.data_on_device, expression, context.device, ranks);
  context.resident = resident.get();

  if (!options.run.resumed_path().empty()) on_root(ranks, [&] { check_resumed(options, run.identity); });
  const SequenceEncoders encoders = clock.time("sequence", [&] { return sequence_stage(run, given); });
  Targets targets = clock.time_unlogged("guidance", [&] { return target_stage(run, encoders); });
  MaskedAutoencoder model(autoencoder_shape(options, expression, targets),
                          static_cast<std::uint64_t>(options.train.seed), context.device);
  log::info("stage 2: {} parameters, {} tokens of {} genes, {} steps", model.parameters().count(),
            model.shape().tokens(), model.shape().patch_genes, total_steps(expression.cells, options.train));
  const std::string encoders_hash = encoders.hash();
  const TrainOutcome trained = clock.time("train", [&] { return train_stage(run, targets, encoders_hash, model); });
  const double share = share_of_counts(expression, ranks);
  on_root(ranks, [&] {
    save_autoencoder(folder.path("model") / "masked_autoencoder.h5", model, targets);
    save_model_description(folder.path("model"), expression, run.input.file->gene_ids(), share, options, model.shape());
  });
  const DenseMatrix embedding = clock.time("embed", [&] { return embed_stage(run, model); });
  const std::string hash = embedding_hash({embedding, expression.rows, expression.cells}, ranks);
  const ClusterOutcome outcome =
      clock.time("cluster", [&] { return cluster_stage(run, embedding, model.shape().predicted_features, hash); });

  const std::optional<CellMaps> maps = clock.time_unlogged("maps", [&] {
    return map_stage(options.report, {embedding, expression.rows, expression.cells},
                     static_cast<std::uint64_t>(options.train.seed), ranks);
  });

  const Json metrics = run_metrics(options,
                                   {.input = run.input,
                                    .targets = targets,
                                    .model = model,
                                    .trained = trained,
                                    .clusters = outcome,
                                    .embedding_hash = hash,
                                    .seconds = clock.seconds()},
                                   context);
  heartbeat.begin_stage("result");
  write_result(folder.path("result.h5ad"), run.input, embedding, outcome,
               {.maps = maps, .categories = {}, .numbers = {}, .flags = {}}, metrics, configuration, ranks);
  on_root(ranks, [&] {
    write_file(folder.path("metrics.json"), metrics.dump(2) + "\n");
    for (const char* name : {prepared_name, kept_name, "checkpoints/embedding.h5", "checkpoints/clusters.h5"})
      std::filesystem::remove(folder.path(name));
  });
  if (options.report.report) heartbeat.begin_stage("report");
  report_stage(options.report, folder.root(), ranks);
  return metrics;
}

/// What only the data can tell is wrong, before the run begins. Throws UserError.
void check_fit(const RunOptions& options, const RunInput& input) {
  visible_tokens(input.expression.layout.tokens_with_genes(), options.model.mask_ratio);
  check_clusters(options.cluster, input.expression.cells);
  static_cast<void>(find_report_genes(options.report.genes, input.file->gene_names(), input.file->gene_ids()));
}

/// That --resume PATH is a checkpoint, before anything is read. A collective; throws UserError.
void check_resume(const RunOptions& options, Collectives& ranks) {
  const std::string resume = options.run.resumed_path();
  if (resume.empty()) return;
  on_root(ranks, [&] {
    if (!std::filesystem::exists(resume))
      throw UserError(fmt::format("--resume {}: there is no such checkpoint; give auto, never, or a path", resume));
    if (!std::filesystem::is_directory(resume))
      static_cast<void>(open_manifest(resume, checkpoint_kind));
    else if (checkpoint_files(resume, training_stage).empty())
      throw UserError(fmt::format(
          "--resume {}: that folder holds no checkpoint of stage 2; a run has them in checkpoints/", resume));
  });
}

/// Whether --input is the very file that the folder's run was made from. A collective.
bool input_unchanged(const RunOptions& options, const RunFolder& folder, Collectives& ranks) {
  return of_root(ranks, [&] { return identify(options.inputs).same_file(folder.recorded_input()); });
}

/// On rank 0, where --tensorboard asks for it.
std::unique_ptr<TensorBoard> make_board(const RunSettings& settings, const RunFolder& folder,
                                        const Collectives& ranks) {
  if (!settings.tensorboard || !ranks.is_root()) return nullptr;
  return std::make_unique<TensorBoard>(folder.path("log.jsonl"), folder.path("tensorboard"));
}

/// metrics.json of a finished run, on rank 0; its page and curves are made where they are wanted and missing.
Json finished_metrics(const RunFolder& folder, const RunOptions& options, Collectives& ranks) {
  const ReportSettings& report = options.report;
  Json metrics;
  on_root(ranks, [&] { metrics = folder.read_record("metrics.json"); });
  log::info("--output '{}' holds this run, finished; its result:", folder.root().string());
  on_root(ranks, [&] {
    const std::filesystem::path page = folder.path("report.html");
    if (report.report && !report.genes.empty())  // another page
      write_report(folder.root(), page, {report.genes, compute_threads()});
    else if (report.report && !std::filesystem::exists(page))  // a run killed while it drew its page has none
      report_or_warn(folder.root(), {report.genes, compute_threads()});
    if (!std::filesystem::exists(folder.path("tensorboard"))) make_board(options.run, folder, ranks);
  });
  return metrics;
}

/// Threads, memory, signals and the time limit of this process. Throws UserError where options are wrong or do not fit
/// the ranks. A collective.
std::vector<int> begin_process(const RunOptions& options, const RunPlace& place) {
  validate(options);
  validate_deterministic(options.train, options.engine, place.ranks.size());
  use_cores(options.run.threads, place);
  set_progress_interval(options.run.progress_seconds);
  use_training_allocator();
  std::vector<int> stop_signals = parse_stop_signals(options.run.stop_signals);
  install_stop_signals(stop_signals);
  take_stop_signals_apart(stop_signals);
  watch_time_limit(options.run.time_limit, options.run.grace, place.ranks);
  if (place.ranks.size() > options.train.batch_size)
    throw UserError(fmt::format("--batch-size {} is smaller than the {} ranks: every rank needs a cell",
                                options.train.batch_size, place.ranks.size()));
  return stop_signals;
}

/// log.jsonl, which goes on where earlier processes of this run have ended. A collective.
struct ContinuedLog {
  ContinuedLog(const RunOptions& options, const RunFolder& folder, Collectives& ranks) {
    on_root(ranks, [&] {
      earlier_seconds = logged_seconds(folder.path("log.jsonl"));
      lines = std::make_unique<RunLog>(folder.path("log.jsonl"));
    });
    lines->event("prepare", begin_event, 0, {{"ranks", ranks.size()}, {"version", version_and_commit()}});
    board = make_board(options.run, folder, ranks);
    if (board) lines->follow([this](const Json& line) { board->add(line); });
  }
  ContinuedLog(const ContinuedLog&) = delete;
  ContinuedLog& operator=(const ContinuedLog&) = delete;

  std::unique_ptr<TensorBoard> board;                          // of --tensorboard; the lines feed it
  std::unique_ptr<RunLog> lines = std::make_unique<RunLog>();  // written by rank 0 alone
  double earlier_seconds = 0;
};

/// What goes on with this run once it was stopped.
const char* command_again(const RunOptions& options) {
  if (options.overwrite && !options.keep_same) return "the same command without --overwrite";
  if (options.run.resume == "never") return "the same command without --resume never";
  return "the same command";
}

}  // namespace

Json run_pipeline(const RunOptions& options, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  const std::vector<int> stop_signals = begin_process(options, place);
  check_resume(options, ranks);
  RunFolder folder(options, ranks);
  const auto is_finished = [&] {
    return folder.state() == FolderState::finished && input_unchanged(options, folder, ranks);
  };
  if (is_finished()) return finished_metrics(folder, options, ranks);
  std::optional<Heartbeat> heartbeat;
  try {
    folder.make();
    // The run that was waited for may have finished it.
    if (is_finished()) return finished_metrics(folder, options, ranks);
    ranks.watch(std::chrono::seconds(0));  // reading the input may take rank 0 any time
    heartbeat.emplace(ranks, HeartbeatSettings{.folder = folder.path("ranks"),
                                               .stall_timeout = std::chrono::seconds(options.run.stall_timeout)});
    const Stopwatch preparing;
    const at::Device device = choose_device(options.run.device, place, options.train.deterministic);
    check_nccl(options.run, device);
    if (options.engine.cuda_graph) static_cast<void>(cuda_recorder(device));  // now, and not after stage 1
    RunInput input = prepare_input(options, folder, place);
    decide_standardization(options, folder.recorded_standardized(), input, device, ranks);
    check_fit(options, input);
    const SequenceEncoders given = given_sequence_encoders(options, input.expression, device, ranks);
    const std::unique_ptr<NcclCollectives> nccl = choose_nccl(options.run, device, ranks);
    install_stop_signals(stop_signals);  // NCCL may have put handlers of its own in their place
    ranks.watch(std::chrono::seconds(options.run.collective_timeout), heartbeat->peers());
    const double prepare_seconds = preparing.seconds();
    const std::string configuration = resolved_configuration(options);
    folder.begin(input.identity, configuration, standardized_as(options, input.expression));
    if (ranks.is_root()) warn_if_slow(working_type(options.train.precision, device), device);
    log::info("{} rank{} on {}, {} thread{} each", ranks.size(), ranks.size() == 1 ? "" : "s", device.str(),
              compute_threads(), compute_threads() == 1 ? "" : "s");
    const ContinuedLog log(options, folder, ranks);
    for (const std::string& warning : input.warnings)
      log.lines->event("sequence", "warning", 0, {{"message", warning}});
    TrainContext context{ranks, *log.lines, device, ranks.is_root() && !options.run.quiet, nccl.get()};
    context.shuffle = input.shuffle;
    context.again = command_again(options);
    if (options.train.deterministic) context.shards = static_cast<int>(options.train.virtual_shards);
    const RunUnderWay run{.options = options,
                          .input = input,
                          .folder = folder,
                          .identity = {input.identity.fingerprint, genes_hash(input.expression), input.shuffle},
                          .description = describe_for_checkpoints(options, configuration, ranks.size()),
                          .context = context};
    Json metrics = train_and_cluster(run, {.earlier = log.earlier_seconds, .prepare = prepare_seconds}, configuration,
                                     given, *heartbeat);
    heartbeat->end("done");
    return metrics;
  } catch (...) {
    if (heartbeat) heartbeat->end(describe_failure(std::current_exception()).message);
    folder.abandon();
    throw;
  }
}

}  // namespace masksc
