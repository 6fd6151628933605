#include "masksc/study/comparison.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "masksc/baselines/baseline.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/run/stages.hpp"
#include "masksc/study/comparison_table.hpp"
#include "masksc/train/stop.hpp"
#include "method_run.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

bool is_ours(const std::string& method) { return method == our_name || method == paper_name; }

/// Throws StopRequested when this process was asked to stop: a method has nothing to save.
void leave_if_asked(const std::string& what) {
  if (stop_requested()) throw StopRequested(fmt::format("stopped on request ({}) in {}", stop_reason(), what));
}

/// Reads what the last methods did not: the ranks take points in any order, mostly of one preparation.
class DataCache {
 public:
  DataCache(fs::path prepared, const PreparationSettings& shared) : prepared_(std::move(prepared)), shared_(shared) {
    // The other methods were published with log values, and the common space is scanpy's.
    if (shared_.standardize == Standardize::residuals) shared_.standardize = Standardize::yes;
  }

  const ComparedData& shared() {
    if (!of_all_) of_all_ = read_compared(prepared_, shared_);
    return *of_all_;
  }
  const ComparedData& published(const Baseline& baseline) {
    if (!of_one_ || owner_ != baseline.name) {
      of_one_.reset();
      of_one_ = read_compared(prepared_, baseline.published);
      owner_ = baseline.name;
    }
    return *of_one_;
  }
  [[nodiscard]] const fs::path& prepared() const { return prepared_; }

 private:
  fs::path prepared_;
  PreparationSettings shared_;
  std::optional<ComparedData> of_all_;
  std::optional<ComparedData> of_one_;
  std::string owner_;
};

/// The prepared file of the comparison: the input itself, or made from it by rank 0. A collective.
fs::path prepare(const RunOptions& options, Collectives& ranks) {
  std::string path;
  on_root(ranks, [&] {
    if (options.preparation.batch_statistics)
      throw UserError("--batch-statistics belongs to masksc_train: leave it out of a comparison");
    if (options.keep_input) throw UserError("--keep-input belongs to masksc_train: leave it out of a comparison");
    const std::vector<fs::path> files = listed_inputs(options.inputs);
    if (files.size() == 1 && is_prepared(files.front())) {
      refuse_choices(files.front(), options.counts);
      path = files.front().string();
      return;
    }
    const fs::path target = fs::path(options.output) / "prepared.h5";
    fs::create_directories(options.output);
    const PreparationReport report = prepare_counts(files, options.counts, target);
    for (const std::string& warning : warnings_of(report)) log::warning("{}", warning);
    path = target.string();
  });
  return broadcast_text(ranks, path);
}

ComparedCells compared_cells(const RunOptions& options, DataCache& data, std::string& fingerprint) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const PreparedFile file(data.prepared(), *alone);
  fingerprint = file.fingerprint();
  ComparedCells cells;
  cells.prepared = data.prepared();
  cells.label_column = options.counts.labels;
  cells.labels = wanted_labels(file, cells.prepared, options.counts);
  if (const auto given = given_clusters(options.cluster, count_categories(cells.labels)))
    cells.clusters = given->clusters;
  check_clusters(options.cluster, file.cells());
  cells.names = file.cell_names({0, file.cells()});
  cells.common_space = principal_components(data.shared().expression);
  return cells;
}

/// Options of the run of mask-sc that a point is.
RunOptions run_of(const RunOptions& recipe, const ComparedCells& cells, std::int64_t seed, const fs::path& folder) {
  RunOptions run = recipe;
  run.inputs = {cells.prepared.string()};
  run.counts = InputSettings();  // all but the labels was chosen when the file was made
  run.counts.labels = recipe.counts.labels;
  run.output = folder.string();
  run.train.seed = seed;
  run.run.quiet = true;
  return run;
}

/// Everything in `options` that a method's result depends on.
std::string recipe_hash(const RunOptions& options) {
  RunOptions copy = options;
  copy.train.seed = 0;
  const OptionTable table = describe_run(copy);
  Hasher hasher;
  for (const Option& option : table.options())
    if (option.role == OptionRole::result) hasher.add(option.name + "=" + option.get() + "\n");
  return hasher.hex();
}

/// All that the runs of a comparison share.
struct Comparison {
  const RunOptions& options;
  const RunOptions& paper;
  const ComparisonSettings& settings;
  const RunPlace& place;
  DataCache& data;
  const ComparedCells& cells;
  std::string fingerprint;  // of the data

  [[nodiscard]] bool published() const { return settings.preparation == ComparedPreparation::published; }
  [[nodiscard]] const char* preparation() const { return published() ? "published" : "shared"; }
  [[nodiscard]] const RunOptions& recipe(const std::string& method) const {
    return method == paper_name ? paper : options;
  }
};

/// One method with one seed, in its folder: its scores.
Json run_method(const Comparison& comparison, const std::string& method, std::int64_t seed, Collectives& group,
                const fs::path& folder) {
  const ComparedCells& cells = comparison.cells;
  const RunPlace& place = comparison.place;
  const auto poll = [&] { leave_if_asked(method); };
  BaselineSettings wanted{.seed = static_cast<std::uint64_t>(seed), .clusters = {}, .poll = poll};
  if (cells.clusters > 0) wanted.clusters.push_back(cells.clusters);
  wanted.clusters.push_back(0);
  if (is_ours(method)) {
    const RunOptions run = run_of(comparison.recipe(method), cells, seed, folder);
    const MethodOutcome outcome = measured([&] {
      return run_mask_sc(run, {group, place.local_rank, place.cores_per_rank}, wanted);
    });
    return score(outcome, cells, poll);
  }
  const Baseline& baseline = find_baseline(method);
  const ComparedData& input = comparison.published() ? comparison.data.published(baseline) : comparison.data.shared();
  const MethodOutcome outcome = measured([&] { return baseline.run(input.input(), wanted); });
  fs::create_directories(folder);
  write_method_result(folder / "result.h5ad", outcome, cells);
  return score(outcome, cells, poll);
}

/// `comparison` must outlive the point.
Point point_of(const Comparison& comparison, const std::string& method, std::int64_t seed) {
  Point point;
  point.name = compared_point_name(method, seed);
  point.identity = {{"method", method},
                    {"seed", seed},
                    {"data", comparison.fingerprint},
                    {"labels", comparison.options.counts.labels},
                    {"clusters", comparison.cells.clusters},
                    {"preparation", comparison.preparation()},
                    {"recipe", recipe_hash(comparison.recipe(method))}};
  point.cost = is_ours(method) ? 10 : 1;
  point.run = [&comparison, method, seed](Collectives& group, const fs::path& folder) {
    return run_method(comparison, method, seed, group, folder);
  };
  return point;
}

std::string describe_scores(const Json& result) {
  const std::string time = format_duration(result.at("seconds"));
  if (!result.contains("ari")) return time;
  return fmt::format("ARI {:.3f}, NMI {:.3f}, {}", result.at("ari").get<double>(), result.at("nmi").get<double>(),
                     time);
}

/// comparison.json.
Json table_of(const Comparison& comparison, const std::vector<ComparedMethod>& methods,
              const std::vector<ComparedPoint>& results, const std::string& command) {
  Json points = Json::array();
  for (const ComparedPoint& point : results)
    points.push_back(
        {{"method", point.method}, {"seed", point.seed}, {"result", point.result}, {"failure", point.failure}});
  std::vector<std::string> names;
  for (const ComparedMethod& method : methods) names.push_back(method.name);
  Json rows = comparison_rows(names, results);
  for (std::size_t i = 0; i < methods.size(); ++i) {
    rows[i]["title"] = methods[i].title;
    rows[i]["source"] = methods[i].source;
  }
  const ComparedCells& cells = comparison.cells;
  const int ranks = comparison.place.ranks.size();
  return {{"input", fmt::format("{}", fmt::join(comparison.options.inputs, ", "))},
          {"cells", cells.common_space.rows},
          {"labels", cells.labels.empty() ? Json(nullptr) : Json(comparison.options.counts.labels)},
          {"categories", count_categories(cells.labels)},
          {"clusters", cells.clusters},
          {"preparation", comparison.preparation()},
          {"first_seed", comparison.options.train.seed},
          {"seeds", comparison.settings.seeds},
          {"ranks", ranks},
          {"version", version_and_commit()},
          {"command", ranks > 1 ? fmt::format("mpirun -np {} {}", ranks, command) : command},
          {"methods", rows},
          {"points", points}};
}

void write_tables(const Json& table, const fs::path& folder) {
  write_file(folder / "comparison.json", table.dump(2) + "\n");
  write_file(folder / "comparison.csv", comparison_csv(table.at("methods")));
  write_file(folder / "comparison.md", comparison_markdown(table));
}

}  // namespace

std::string compared_point_name(const std::string& method, std::int64_t seed) {
  return file_name(fmt::format("{}_seed-{}", method, seed));
}

void describe(OptionTable& table, ComparisonSettings& settings) {
  table.begin_group("Comparison");
  table.add("methods", settings.methods, "all (but mask-sc-paper), or names separated by commas; see --list",
            "all|LIST");
  table.add("seeds", settings.seeds, "runs of every method: with --seed and the numbers after it");
  table.add_choice("preparation", settings.preparation,
                   {{"shared", ComparedPreparation::shared}, {"published", ComparedPreparation::published}},
                   "what all methods start from: the same genes, or what each one's authors used");
  table.begin_group("Comparison", OptionRole::request);
  table.add_switch("list", settings.list, "print the methods and stop");
}

ComparisonOutcome compare(const RunOptions& options, const RunOptions& paper, const ComparisonSettings& settings,
                          const std::string& command, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  validate(options);
  require_at_least("seeds", settings.seeds, 1);
  const std::vector<ComparedMethod> methods = choose_methods(settings.methods);
  use_cores(options.run.threads, place);
  DataCache data(prepare(options, ranks), options.preparation);
  std::string fingerprint;
  const ComparedCells cells = compared_cells(options, data, fingerprint);
  const Comparison comparison{options, paper, settings, place, data, cells, fingerprint};

  std::vector<Point> points;
  std::vector<ComparedPoint> results;
  for (const ComparedMethod& method : methods)
    for (std::int64_t seed = options.train.seed; seed < options.train.seed + settings.seeds; ++seed) {
      points.push_back(point_of(comparison, method.name, seed));
      results.push_back({method.name, seed, nullptr, ""});
    }
  const PointsSettings how{.stop_signals = options.run.stop_signals,
                           .overwrite = options.overwrite,
                           .what = "method",
                           .describe = describe_scores};
  const std::vector<PointOutcome> outcomes = run_points(points, how, ranks, options.output);

  ComparisonOutcome outcome;
  std::int32_t code = 0;
  on_root(ranks, [&] {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].status == PointStatus::done)
        results[i].result = outcomes[i].result;
      else
        results[i].failure = outcomes[i].failure.message;
    }
    outcome.table = table_of(comparison, methods, results, command);
    write_tables(outcome.table, options.output);
    code = static_cast<std::int32_t>(exit_code(outcomes));
  });
  ranks.broadcast(std::span(&code, 1));
  outcome.code = static_cast<ExitCode>(code);
  return outcome;
}

}  // namespace masksc
