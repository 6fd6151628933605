#include "masksc/run/embed_new.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/memory.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/core/text.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/model/device.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/folder.hpp"
#include "masksc/run/labels.hpp"
#include "masksc/run/output_folder.hpp"
#include "masksc/run/prepared_input.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/run/saved_model.hpp"
#include "model_files.hpp"
#include "outputs.hpp"
#include "reference.hpp"
#include "run_metrics.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

void validate(const EmbedOptions& o) {
  require_at_least("reference-neighbours", o.reference_neighbours, 1);
  require_at_least("seed", o.seed, 0);
  require_at_least("threads", o.threads, 0);
  require_one_of("device", o.device, {"auto", "cpu", "cuda"});
  validate(o.cluster);
  validate(o.report);
}

/// Files and folders. On rank 0.
void check_paths(const EmbedOptions& o) {
  if (o.model.empty()) throw UserError("--model is missing: give the folder of a finished run, or its model/");
  if (o.inputs.empty()) throw UserError("--input is missing: give the file of counts");
  if (o.output.empty()) throw UserError("--output is missing: give the folder of the results");
  if (!o.overwrite && fs::exists(fs::path(o.output) / "metrics.json"))
    throw UserError(fmt::format("--output '{}' holds a result; give another folder or --overwrite", o.output));
  constexpr std::array written = {"result.h5ad", "metrics.json", "config.ini", "report.html"};
  for (const fs::path& input : listed_inputs(o.inputs)) refuse_replaced("input", input, o.output, written);
  if (o.reference.empty()) return;
  refuse_replaced("reference", o.reference, o.output, written);
  if (is_transferred(o.counts.labels))
    throw UserError(fmt::format(
        "--labels '{}': with --reference the result's column of that name is made anew; give yours another name",
        shown(o.counts.labels)));
}

/// Files that go with their owner, however that ends.
class PassingFiles {
 public:
  PassingFiles() = default;
  PassingFiles(const PassingFiles&) = delete;
  PassingFiles& operator=(const PassingFiles&) = delete;
  ~PassingFiles() {
    std::error_code ignored;
    for (const fs::path& file : files_) fs::remove(file, ignored);
  }
  const fs::path& add(const fs::path& file) { return files_.emplace_back(file); }

 private:
  std::vector<fs::path> files_;
};

/// The prepared form of --input: itself, or one in --output, of those that are `passing`. With --keep-input `kept` gets
/// the file of what is kept. Throws UserError, before counts are read, where the model knows none of the genes.
fs::path prepared_form(const EmbedOptions& options, const SavedModel& model, fs::path& kept, PassingFiles& passing) {
  const std::vector<fs::path> files = listed_inputs(options.inputs);
  if (const auto given = given_prepared(files, options.counts, options.keep_input)) return *given;
  const fs::path path = passing.add(fs::path(options.output) / prepared_name);
  if (options.keep_input) kept = passing.add(fs::path(options.output) / kept_name);
  prepare_aloud(files, options.counts, path, kept, [&](const CountsReader& reader) {
    static_cast<void>(match_genes(model, reader.gene_names(), reader.gene_ids()));
  });
  return path;
}

/// The new cells with the model's genes.
struct NewCells {
  std::string prepared;  // their prepared file
  RunInput input;
  GeneMatch match;
};

/// Warns where the model's genes have another share of the cells' counts than in training. A collective.
void compare_shares(const SavedModel& model, const Expression& expression, Collectives& ranks) {
  constexpr double alike = 1.5;
  const double share = share_of_counts(expression, ranks);
  const double trained = model.share_of_counts;
  if (trained <= 0 || (share < alike * trained && trained < alike * share) || !ranks.is_root()) return;
  log::warning(
      "the model's genes hold {:.0f} % of the counts of these cells, and held {:.0f} % in training: counts are scaled "
      "by the total of all genes in a file, so give one with the genes that the file of the training had (usually all "
      "of the assay), or doubt the result",
      100 * share, 100 * trained);
}

/// Throws UserError where they do not fit the model or the options. A collective.
NewCells read_new_cells(const EmbedOptions& options, const SavedModel& model, PassingFiles& passing,
                        Collectives& ranks) {
  NewCells found;
  RunInput& input = found.input;
  found.prepared = of_root(ranks, [&] { return prepared_form(options, model, input.kept, passing).string(); });
  input.file = std::make_unique<PreparedFile>(found.prepared, ranks);
  const std::int64_t cells = input.file->cells();
  found.match = match_genes(model, input.file->gene_names(), input.file->gene_ids());
  const auto wanted = std::ssize(model.expression.gene_names);
  log::write(2 * found.match.known < wanted && ranks.is_root() ? log::Level::warning : log::Level::info,
             fmt::format("genes: {} of the model's {} are in the input{}; the others count as 0", found.match.known,
                         wanted, found.match.by_ids ? ", by their identifiers" : ""));
  annotate(input, found.prepared, options.counts, model.batch_statistics, options.cluster.clusters.empty(), ranks);
  if (model.batch_statistics && input.batches.empty() && ranks.is_root())
    log::warning(
        "the model standardises genes within batches, and --batch-key names none: all cells count as one batch");
  input.expression = express(model, found.match, reader_of(found.prepared, ranks), cells, own_rows(cells, ranks),
                             input.batches, ranks);
  compare_shares(model, input.expression, ranks);
  for (std::size_t gene = 0; gene < found.match.column.size(); ++gene)
    if (found.match.column[gene] >= 0) input.expression.genes.push_back(static_cast<std::int64_t>(gene));
  check_clusters(options.cluster, cells);
  static_cast<void>(find_report_genes(options.report.genes, input.file->gene_names(), input.file->gene_ids()));
  return found;
}

DenseMatrix embed(const SavedModel& model, const Expression& expression, bool quiet, Collectives& ranks) {
  const Densifier densifier(expression);
  EmbeddingProgress embedding(expression.rows.size(), model.network->shape().cell_features());
  Progress progress("embedding: cell", expression.rows.size(), ranks.is_root() && !quiet);
  together(ranks, [&] {
    embed_cells(*model.network, expression, densifier, model.network->parameters().values().device(), embedding,
                ranks.size(), [&](std::int64_t done) { progress.update(done, "this rank's cells"); });
  });
  return std::move(embedding.values);
}

}  // namespace

OptionTable describe_embed(EmbedOptions& o) {
  OptionTable table;
  table.begin_group("Input and output", OptionRole::path);
  table.add("model", o.model, "a finished run of masksc_train, or its folder model/", "DIR");
  table.add_list(
      "input", o.inputs,
      "counts of the new cells, in any format that masksc_train reads; again for more, or @LIST, a file that "
      "names them",
      "FILE");
  table.add("output", o.output, "folder of the results", "DIR");
  table.add_switch("overwrite", o.overwrite, "replace the result in --output");
  describe(table, o.counts);
  describe_keeping(table, o.keep_input);
  table.begin_group("Labels of known cells", OptionRole::path);
  table.add("reference", o.reference, "result.h5ad of cells that this model embedded: their labels go to the new cells",
            "FILE");
  table.begin_group("Labels of known cells");
  table.add("reference-labels", o.reference_labels, "column of the reference's obs", "COLUMN");
  table.add("reference-neighbours", o.reference_neighbours, "nearest cells of the reference that vote");
  describe(table, o.cluster);
  describe(table, o.report);
  table.begin_group("Run", OptionRole::runtime);
  table.add("seed", o.seed, "seed of K-means and of the maps");
  table.add("device", o.device, "where to embed; auto takes a GPU when there is one", "auto|cpu|cuda");
  table.add("threads", o.threads, "CPU threads a rank (0: its share of the cores that it may use)");
  table.add_switch("quiet", o.quiet, "only warnings, errors and the final table");
  return table;
}

Json embed_new_cells(const EmbedOptions& options, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  const Stopwatch stopwatch;
  validate(options);
  std::optional<OutputLock> lock;
  std::vector<std::string> inputs;  // absolute, on rank 0
  on_root(ranks, [&] {
    check_paths(options);
    inputs = identify(options.inputs).paths;
    lock.emplace(options.output, FolderContent::embedding);
    check_paths(options);  // another may just have ended
  });
  use_cores(options.threads, place);
  const SavedModel model = load_model(options.model, choose_device(options.device, place), ranks);
  const std::string weights = model.network->parameters().hash();
  if (!options.reference.empty())
    on_root(ranks, [&] { check_reference(options, weights, features_from(model.network->shape())); });

  PassingFiles passing;
  NewCells cells = read_new_cells(options, model, passing, ranks);
  RunInput& input = cells.input;
  const Expression& expression = input.expression;

  const Stopwatch embedding_time;
  const DenseMatrix embedding = embed(model, expression, options.quiet, ranks);
  const double embedded = embedding_time.seconds();
  input.components = cell_components(expression, model.network->parameters().values().device(), ranks);
  const ClusterOutcome outcome = cluster_features(
      options.cluster, {embedding, input.components.scores, expression.rows, expression.cells, input.labels},
      static_cast<std::uint64_t>(options.seed), compute_threads(), ranks);
  const std::string hash = embedding_hash({embedding, expression.rows, expression.cells}, ranks);
  Json metrics = common_metrics(input, outcome, model.network->shape(), weights, hash, ranks);
  metrics.update({{"genes", cells.match.known},
                  {"genes_of_model", model.expression.gene_names.size()},
                  {"seed", options.seed},
                  {"input", one_or_all(inputs)},
                  {"reference", options.reference.empty() ? "" : fs::absolute(options.reference).string()},
                  {"labels", options.counts.labels},
                  {"model", fs::absolute(options.model).string()}});
  ResultExtras extras =
      transfer(options, embedding, weights, features_from(model.network->shape()), input.labels, metrics, ranks);
  extras.maps = map_stage(options.report, {embedding, expression.rows, expression.cells},
                          static_cast<std::uint64_t>(options.seed), ranks);
  const std::int64_t memory = peak_memory();
  metrics["peak_memory_bytes"] = ranks.gather_varied(std::span<const std::int64_t>(&memory, 1));
  metrics["seconds"] = {{"embed", embedded}, {"total", stopwatch.seconds()}};
  metrics["cells_per_second"] = static_cast<double>(expression.cells) / embedded;
  EmbedOptions copy = options;
  const std::string configuration = resolved_configuration(describe_embed(copy));
  const fs::path folder = options.output;
  on_root(ranks, [&] {
    for (const char* name : {"metrics.json", "report.html"}) fs::remove(folder / name);  // of a result that is replaced
  });
  write_result(folder / "result.h5ad", input, embedding, outcome, extras, metrics, configuration, ranks);
  on_root(ranks, [&] {
    write_file(folder / "config.ini", configuration);
    write_file(folder / "metrics.json", metrics.dump(2) + "\n");
  });
  report_stage(options.report, folder, ranks);
  return metrics;
}

}  // namespace masksc
