#include "masksc/study/comparison.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

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
#include "masksc/io/prepared.hpp"
#include "masksc/study/comparison_table.hpp"
#include "masksc/train/stop.hpp"
#include "method_run.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

constexpr const char* our_name = "mask-sc";
constexpr const char* paper_name = "mask-sc-paper";

bool is_ours(const std::string& method) { return method == our_name || method == paper_name; }

/// Throws StopRequested when this process was asked to stop: a method has nothing to save.
void leave_if_asked(const std::string& what) {
  if (stop_requested()) throw StopRequested(fmt::format("stopped on request ({}) in {}", stop_reason(), what));
}

/// Reads what the last methods did not: the ranks take points in any order, mostly of one preparation.
class DataCache {
 public:
  DataCache(fs::path prepared, const PreparationSettings& shared) : prepared_(std::move(prepared)), shared_(shared) {}

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

/// The prepared file of the comparison, made by rank 0 unless it is there. A collective.
fs::path prepare(const RunOptions& options, Collectives& ranks) {
  std::string path;
  on_root(ranks, [&] {
    if (is_prepared(options.input)) {
      path = options.input;
      return;
    }
    const fs::path target = fs::path(options.output) / "prepared.h5";
    fs::create_directories(options.output);
    const PreparationReport report = prepare_counts(options.input, options.counts, target);
    if (report.empty_cells_dropped > 0)
      log::warning("{} cells without counts are left out", report.empty_cells_dropped);
    path = target.string();
  });
  return broadcast_text(ranks, path);
}

std::int64_t count_labels(const Labels& labels) {
  std::set<std::int32_t> found(labels.codes.begin(), labels.codes.end());
  found.erase(-1);
  return static_cast<std::int64_t>(found.size());
}

/// --clusters N, else the number of label categories, else none.
std::int64_t given_clusters(const RunOptions& options, const Labels& labels) {
  const std::string& text = options.cluster.clusters;
  if (text == "auto") return 0;
  return text.empty() ? count_labels(labels) : std::stoll(text);
}

ComparedCells compared_cells(const RunOptions& options, DataCache& data, std::string& fingerprint) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const PreparedFile file(data.prepared(), *alone);
  fingerprint = file.fingerprint();
  ComparedCells cells;
  cells.prepared = data.prepared();
  if (!options.counts.labels.empty()) {
    cells.labels = file.labels();
    if (cells.labels.empty())
      throw UserError(fmt::format("the prepared file '{}' holds no labels; prepare it with --labels {}",
                                  cells.prepared.string(), options.counts.labels));
  }
  cells.clusters = given_clusters(options, cells.labels);
  check_clusters(options.cluster, file.cells());
  cells.names = file.cell_names({0, file.cells()});
  cells.common_space = principal_components(data.shared().expression);
  return cells;
}

/// Options of the run of mask-sc that a point is.
RunOptions run_of(const RunOptions& recipe, const ComparedCells& cells, std::int64_t seed, const fs::path& folder) {
  RunOptions run = recipe;
  run.input = cells.prepared.string();
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

struct PointOf {
  std::string method;
  std::int64_t seed;
};

}  // namespace

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

std::vector<ComparedMethod> compared_methods() {
  std::vector<ComparedMethod> methods;
  for (const Baseline& baseline : baselines()) methods.push_back({baseline.name, baseline.title, baseline.source});
  methods.push_back(
      {our_name, "masked modelling with one recipe for all data (the defaults of masksc_train)", "this program"});
  methods.push_back({paper_name, "masked modelling as published (configs/paper.ini); needs a GPU",
                     "Masked Modeling for Single-cell Clustering, NeurIPS 2024"});
  return methods;
}

std::vector<ComparedMethod> choose_methods(const std::string& methods) {
  const std::vector<ComparedMethod> all = compared_methods();
  std::vector<std::string> names;
  for (const ComparedMethod& method : all) names.push_back(method.name);
  std::vector<ComparedMethod> chosen;
  if (methods == "all") {
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [](const ComparedMethod& method) { return method.name != paper_name; });
    return chosen;
  }
  std::set<std::string> seen;
  for (std::size_t begin = 0; begin <= methods.size();) {
    const std::size_t end = std::min(methods.find(',', begin), methods.size());
    const std::string name = methods.substr(begin, end - begin);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw UserError(
          fmt::format("--methods: there is no method '{}'{}; see --list", printable(name), suggestion(name, names)));
    if (!seen.insert(name).second) throw UserError(fmt::format("--methods names '{}' twice", name));
    chosen.push_back(all[static_cast<std::size_t>(found - names.begin())]);
    begin = end + 1;
  }
  return chosen;
}

ComparisonOutcome compare(const RunOptions& options, const RunOptions& paper, const ComparisonSettings& settings,
                          const std::string& command, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  validate(options);
  require_at_least("seeds", settings.seeds, 1);
  const std::vector<ComparedMethod> methods = choose_methods(settings.methods);
  at::set_num_threads(options.run.threads > 0 ? static_cast<int>(options.run.threads) : place.cores_per_rank);
  DataCache data(prepare(options, ranks), options.preparation);
  std::string fingerprint;
  const ComparedCells cells = compared_cells(options, data, fingerprint);

  std::vector<Point> points;
  std::vector<PointOf> keys;
  const bool published = settings.preparation == ComparedPreparation::published;
  for (const ComparedMethod& method : methods)
    for (std::int64_t seed = options.train.seed; seed < options.train.seed + settings.seeds; ++seed) {
      Point point;
      point.name = file_name(fmt::format("{}_seed-{}", method.name, seed));
      point.identity = {{"method", method.name},
                        {"seed", seed},
                        {"data", fingerprint},
                        {"labels", options.counts.labels},
                        {"clusters", cells.clusters},
                        {"preparation", published ? "published" : "shared"},
                        {"recipe", recipe_hash(method.name == paper_name ? paper : options)}};
      point.cost = is_ours(method.name) ? 10 : 1;
      point.run = [&, name = method.name, seed](Collectives& group, const fs::path& folder) {
        const auto poll = [&] { leave_if_asked(name); };
        BaselineSettings wanted{.seed = static_cast<std::uint64_t>(seed), .clusters = {}, .poll = poll};
        if (cells.clusters > 0) wanted.clusters.push_back(cells.clusters);
        wanted.clusters.push_back(0);
        MethodOutcome outcome;
        if (is_ours(name)) {
          const RunOptions run = run_of(name == paper_name ? paper : options, cells, seed, folder);
          outcome = measured([&] { return run_mask_sc(run, {group, place.local_rank, place.cores_per_rank}, wanted); });
        } else {
          const Baseline& baseline = find_baseline(name);
          const ComparedData& input = published ? data.published(baseline) : data.shared();
          outcome = measured([&] { return baseline.run(input.input(), wanted); });
          fs::create_directories(folder);
          write_method_result(folder / "result.h5ad", outcome, cells);
        }
        return score(outcome, cells, poll);
      };
      points.push_back(std::move(point));
      keys.push_back({method.name, seed});
    }

  const PointsSettings how{.stop_signals = options.run.stop_signals,
                           .overwrite = options.overwrite,
                           .what = "method",
                           .describe = [](const Json& result) {
                             return result.contains("ari")
                                        ? fmt::format("ARI {:.3f}, NMI {:.3f}, {}", result.at("ari").get<double>(),
                                                      result.at("nmi").get<double>(),
                                                      format_duration(result.at("seconds")))
                                        : format_duration(result.at("seconds"));
                           }};
  const std::vector<PointOutcome> outcomes = run_points(points, how, ranks, options.output);

  ComparisonOutcome comparison;
  std::int32_t code = 0;
  on_root(ranks, [&] {
    std::vector<ComparedPoint> results;
    Json all = Json::array();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const PointOutcome& outcome = outcomes[i];
      const bool done = outcome.status == PointStatus::done;
      results.push_back(
          {keys[i].method, keys[i].seed, done ? outcome.result : Json(nullptr), done ? "" : outcome.failure.message});
      all.push_back({{"method", keys[i].method},
                     {"seed", keys[i].seed},
                     {"result", results.back().result},
                     {"failure", results.back().failure}});
    }
    std::vector<std::string> names;
    for (const ComparedMethod& method : methods) names.push_back(method.name);
    Json rows = comparison_rows(names, results);
    for (std::size_t i = 0; i < methods.size(); ++i) {
      rows[i]["title"] = methods[i].title;
      rows[i]["source"] = methods[i].source;
    }
    comparison.table = {
        {"input", options.input},
        {"cells", cells.common_space.rows},
        {"labels", cells.labels.empty() ? Json(nullptr) : Json(options.counts.labels)},
        {"categories", count_labels(cells.labels)},
        {"clusters", cells.clusters},
        {"preparation", published ? "published" : "shared"},
        {"first_seed", options.train.seed},
        {"seeds", settings.seeds},
        {"ranks", ranks.size()},
        {"version", version_and_commit()},
        {"command", ranks.size() > 1 ? fmt::format("mpirun -np {} {}", ranks.size(), command) : command},
        {"methods", rows},
        {"points", all}};
    const fs::path folder = options.output;
    write_file(folder / "comparison.json", comparison.table.dump(2) + "\n");
    write_file(folder / "comparison.csv", comparison_csv(rows));
    write_file(folder / "comparison.md", comparison_markdown(comparison.table));
    code = static_cast<std::int32_t>(exit_code(outcomes));
  });
  ranks.broadcast(std::span(&code, 1));
  comparison.code = static_cast<ExitCode>(code);
  return comparison;
}

}  // namespace masksc
