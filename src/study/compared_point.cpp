#include "compared_point.hpp"

#include <fmt/format.h>

#include <utility>

#include "masksc/baselines/features.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/stop.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

bool is_ours(const std::string& method) { return method == our_name || method == paper_name; }

/// Throws StopRequested when this process was asked to stop: a method has nothing to save.
void leave_if_asked(const std::string& what) {
  if (stop_requested()) throw StopRequested(fmt::format("stopped on request ({}) in {}", stop_reason(), what));
}

/// Options of the run of mask-sc that a point is.
RunOptions run_of(const RunOptions& recipe, const ComparedCells& cells, std::int64_t seed, const fs::path& folder) {
  RunOptions run = recipe;
  run.inputs = {cells.prepared.string()};
  run.counts = InputSettings();  // all but the labels was chosen when the file was made
  run.counts.labels = recipe.counts.labels;
  run.counts.allow_noninteger = recipe.counts.allow_noninteger;
  run.output = folder.string();
  run.train.seed = seed;
  run.keep_same = true;
  run.run.quiet = true;
  return run;
}

/// Everything in `options` that a method's result depends on: the recipe of mask-sc, or for others how cells are read
/// and prepared.
Json recipe_of(const std::string& method, const RunOptions& options) {
  RunOptions copy = options;
  copy.train.seed = 0;
  OptionTable table;
  if (is_ours(method)) {
    table = describe_run(copy);
  } else {
    describe(table, copy.counts);
    describe(table, copy.preparation);
  }
  return result_values(table);
}

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
    const MethodOutcome outcome = measured([&] { return run_mask_sc(run, place.with(group), wanted); });
    return score(outcome, cells, poll);
  }
  if (comparison.nmf_source) wanted.source = &comparison.nmf_source->data.expression;
  const Baseline& baseline = find_baseline(method);
  const ComparedData& input = comparison.published() ? comparison.data.published(baseline) : comparison.data.shared();
  const MethodOutcome outcome = measured([&] {
    MethodOutcome made;
    made.found = baseline.run(input.input(), wanted);
    return made;
  });
  fs::create_directories(folder);
  write_method_result(folder / "result.h5ad", outcome, cells);
  return score(outcome, cells, poll);
}

}  // namespace

DataCache::DataCache(fs::path prepared, const PreparationSettings& shared)
    : prepared_(std::move(prepared)), shared_(shared) {
  // The other methods were published with log values, and the common space is scanpy's.
  if (shared_.standardize == Standardize::residuals) shared_.standardize = Standardize::yes;
}

const ComparedData& DataCache::shared() {
  if (!of_all_) of_all_ = read_compared(prepared_, shared_);
  return *of_all_;
}

const ComparedData& DataCache::published(const Baseline& baseline) {
  if (!of_one_ || owner_ != baseline.name) {
    of_one_.reset();
    of_one_ = read_compared(prepared_, baseline.published);
    owner_ = baseline.name;
  }
  return *of_one_;
}

std::string compared_point_name(const std::string& method, std::int64_t seed) {
  return file_name(fmt::format("{}_seed-{}", method, seed));
}

Point point_of(const Comparison& comparison, const std::string& method, std::int64_t seed) {
  Point point;
  point.name = compared_point_name(method, seed);
  point.identity = {{"method", method},
                    {"seed", seed},
                    {"data", comparison.fingerprint},
                    {"labels", comparison.options.counts.labels},
                    {"clusters", comparison.cells.clusters},
                    {"preparation", comparison.preparation()},
                    {"recipe", recipe_of(method, comparison.recipe(method))}};
  if (method == "scrna-nmf" && comparison.nmf_source) point.identity["nmf source"] = comparison.nmf_source->fingerprint;
  point.cost = is_ours(method) ? 10 : 1;
  point.run = [&comparison, method, seed](Collectives& group, const fs::path& folder) {
    return run_method(comparison, method, seed, group, folder);
  };
  return point;
}

ComparedPoint point_with(const std::string& method, std::int64_t seed, const PointOutcome& outcome) {
  const bool done = outcome.status == PointStatus::done;
  return {method, seed, done ? outcome.result : Json(nullptr), done ? "" : outcome.failure.message};
}

}  // namespace masksc
