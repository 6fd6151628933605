#include "masksc/study/comparison.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "compared_point.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/run/labels.hpp"
#include "masksc/run/output_folder.hpp"
#include "masksc/run/prepared_input.hpp"
#include "masksc/run/stages.hpp"
#include "masksc/study/comparison_table.hpp"
#include "point_records.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// The other data set that scrna-nmf learns from, with all its genes. A collective; every rank holds all of it.
std::optional<NmfSource> read_nmf_source(const std::string& path, const RunOptions& options, Collectives& ranks) {
  if (path.empty()) return std::nullopt;
  const fs::path prepared = fs::path(options.output) / ".nmf-source.h5";
  on_root(ranks, [&] {
    for (const std::string& warning : warnings_of(prepare_counts({path}, InputSettings(), prepared)))
      log::warning("--nmf-source: {}", warning);
  });
  NmfSource source;
  together(ranks, [&] {
    PreparationSettings all = options.preparation;
    all.genes = "";
    all.matrix = "auto";
    all.patch = "auto";
    source.fingerprint = PreparedFile(prepared, *single_rank()).fingerprint();
    source.data = read_compared(prepared, all);
  });
  on_root(ranks, [&] { fs::remove(prepared); });
  return source;
}

/// The prepared file of the comparison: the input itself, or made from it by rank 0. A collective.
fs::path prepare(const RunOptions& options, Collectives& ranks) {
  return of_root(ranks, [&] {
    if (options.preparation.batch_statistics)
      throw UserError("--batch-statistics belongs to masksc_train: leave it out of a comparison");
    if (options.keep_input) throw UserError("--keep-input belongs to masksc_train: leave it out of a comparison");
    const std::vector<fs::path> files = listed_inputs(options.inputs);
    const auto given = given_prepared(files, options.counts, false);
    const fs::path prepared = given.value_or(fs::path(options.output) / prepared_name);
    if (!given) prepare_aloud(files, options.counts, prepared);
    return prepared.string();
  });
}

ComparedCells compared_cells(const RunOptions& options, DataCache& data, std::string& fingerprint,
                             const Collectives& ranks) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const PreparedFile file(data.prepared(), *alone);
  fingerprint = file.fingerprint();
  ComparedCells cells;
  cells.prepared = data.prepared();
  cells.label_column = options.counts.labels;
  cells.labels = wanted_labels(file, cells.prepared, options.counts);
  note_labels(cells.labels, file.label_column(), options.cluster.clusters.empty(), ranks);
  if (const auto given = given_clusters(options.cluster, count_categories(cells.labels)))
    cells.clusters = given->clusters;
  check_clusters(options.cluster, file.cells());
  cells.names = file.cell_names({0, file.cells()});
  const Expression& shared = data.shared().expression;
  cells.common_space = principal_components(shared.values, shared.scaling);
  return cells;
}

/// Of the records of a method.
std::set<std::int64_t> recorded_seeds(const fs::path& folder, const std::string& method) {
  std::set<std::int64_t> seeds;
  for (const std::string& name : recorded_names(folder)) {
    const auto seed = number_of<std::int64_t>(std::string_view(name).substr(name.rfind('-') + 1));
    if (seed && name == compared_point_name(method, *seed)) seeds.insert(*seed);
  }
  return seeds;
}

/// What earlier calls found in the same comparison, in `folder`: points that are none of `known`.
std::vector<ComparedPoint> earlier_points(const Comparison& comparison, const std::vector<ComparedPoint>& known,
                                          const fs::path& folder) {
  std::vector<ComparedPoint> earlier;
  std::vector<std::string> others;
  for (const ComparedMethod& method : compared_methods()) {
    for (const std::int64_t seed : recorded_seeds(folder, method.name)) {
      const auto same = [&](const ComparedPoint& point) { return point.method == method.name && point.seed == seed; };
      if (std::any_of(known.begin(), known.end(), same)) continue;
      try {
        const PointOutcome outcome = read_record(folder, point_of(comparison, method.name, seed), true);
        if (outcome.status == PointStatus::missing)
          others.push_back(compared_point_name(method.name, seed));
        else
          earlier.push_back(point_with(method.name, seed, outcome));
      } catch (const UserError& e) {
        log::warning("{}; the tables leave it out", e.what());
      }
    }
  }
  if (!earlier.empty()) log::info("{} results of earlier calls are in the tables too", earlier.size());
  if (!others.empty())
    log::warning("--output holds {} results of other settings, which the tables leave out ({})", others.size(),
                 shown(others));
  return earlier;
}

std::string describe_scores(const Json& result) {
  const std::string time = format_duration(result.at("seconds"));
  if (!result.contains("ari")) return time;
  return fmt::format("ARI {:.3f}, NMI {:.3f}, {}", result.at("ari").get<double>(), result.at("nmi").get<double>(),
                     time);
}

/// `command`, and before it those of the earlier calls in `folder` where some of their results are among `points`.
std::vector<std::string> all_commands(const fs::path& folder, const std::vector<ComparedPoint>& points,
                                      const std::string& command) {
  std::vector<std::string> commands;
  const fs::path path = folder / "comparison.json";
  const Json table = fs::exists(path) ? json_or_null(read_file(path)) : Json::object();
  const auto list = [&](const char* key) {
    return table.is_object() && table.value(key, Json()).is_array() ? table.at(key) : Json::array();
  };
  const Json before = list("points");
  const auto is_there = [&](const Json& old) {
    return old.is_object() && std::any_of(points.begin(), points.end(), [&](const ComparedPoint& point) {
             return point.result.is_object() && point.result == old.value("result", Json());
           });
  };
  if (std::any_of(before.begin(), before.end(), is_there))
    for (const Json& known : list("commands"))
      if (known.is_string()) commands.push_back(known.get<std::string>());
  std::erase(commands, command);
  commands.push_back(command);
  return commands;
}

/// comparison.json of the points of all calls, of which `commands` are what was typed, and `methods` those that the
/// last one asks for.
Json table_of(const Comparison& comparison, std::vector<ComparedMethod> methods,
              const std::vector<ComparedPoint>& results, const std::vector<std::string>& commands) {
  Json points = Json::array();
  std::set<std::int64_t> seeds;
  for (const ComparedPoint& point : results) {
    points.push_back(
        {{"method", point.method}, {"seed", point.seed}, {"result", point.result}, {"failure", point.failure}});
    seeds.insert(point.seed);
  }
  for (const ComparedMethod& method : compared_methods()) {  // those of earlier calls
    const auto asked = [&](const ComparedMethod& other) { return other.name == method.name; };
    const auto has = [&](const ComparedPoint& point) { return point.method == method.name; };
    if (std::none_of(methods.begin(), methods.end(), asked) && std::any_of(results.begin(), results.end(), has))
      methods.push_back(method);
  }
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
          {"seeds", seeds},
          {"ranks", ranks},
          {"version", version_and_commit()},
          {"commands", commands},
          {"methods", rows},
          {"note", comparison_note(results)},
          {"points", points}};
}

void write_tables(const Json& table, const fs::path& folder) {
  write_file(folder / "comparison.json", table.dump(2) + "\n");
  write_file(folder / "comparison.csv", comparison_csv(table.at("methods")));
  write_file(folder / "comparison.md", comparison_markdown(table));
}

}  // namespace

void describe(OptionTable& table, ComparisonSettings& settings) {
  table.begin_group("Comparison");
  table.add("methods", settings.methods, "all (but mask-sc-paper), or names separated by commas; see --list",
            "all|LIST");
  table.add("seeds", settings.seeds, "runs of every method: with --seed and the numbers after it");
  table.add_choice("preparation", settings.preparation,
                   {{"shared", ComparedPreparation::shared}, {"published", ComparedPreparation::published}},
                   "what all methods start from: the same genes, or what each one's authors used");
  table.begin_group("Comparison", OptionRole::path);
  table.add("nmf-source", settings.nmf_source,
            "counts of another data set, whose dictionary scrna-nmf transfers; half of the cells without it", "FILE");
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
  std::optional<OutputLock> lock;  // from the prepared file to the tables
  on_root(ranks, [&] {
    static_cast<void>(identify(options.inputs));  // that they are there, before a folder is made
    lock.emplace(options.output, FolderContent::comparison);
  });
  DataCache data(prepare(options, ranks), options.preparation);
  std::string fingerprint;
  const ComparedCells cells = compared_cells(options, data, fingerprint, ranks);
  const std::optional<NmfSource> nmf_source = read_nmf_source(settings.nmf_source, options, ranks);
  const Comparison comparison{options, paper, settings, place, data, cells, fingerprint, nmf_source};

  std::vector<Point> points;
  std::vector<ComparedPoint> results;
  for (const ComparedMethod& method : methods)
    for (std::int64_t seed = options.train.seed; seed < options.train.seed + settings.seeds; ++seed) {
      points.push_back(point_of(comparison, method.name, seed));
      results.push_back({method.name, seed, nullptr, ""});
    }
  const PointsSettings how{.stop_signals = options.run.stop_signals,
                           .overwrite = options.overwrite,
                           .what = "run",
                           .describe = describe_scores};
  const std::vector<PointOutcome> outcomes = run_points(points, how, ranks, options.output);

  ComparisonOutcome outcome;
  outcome.code = of_root(ranks, [&] {
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      results[i] = point_with(results[i].method, results[i].seed, outcomes[i]);
    const std::vector<ComparedPoint> earlier = earlier_points(comparison, results, options.output);
    results.insert(results.end(), earlier.begin(), earlier.end());
    outcome.table = table_of(comparison, methods, results, all_commands(options.output, results, command));
    write_tables(outcome.table, options.output);
    std::error_code ignored;
    fs::remove(fs::path(options.output) / prepared_name, ignored);
    return exit_code(outcomes);
  });
  return outcome;
}

}  // namespace masksc
