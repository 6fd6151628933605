#include "method_run.hpp"

#include <chrono>
#include <fstream>
#include <numeric>
#include <set>

#include "masksc/baselines/features.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/core/error.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"

namespace masksc {
namespace {

/// The columns `genes` of `counts`, in that order.
CsrMatrix choose_columns(const CsrMatrix& counts, const std::vector<std::int64_t>& genes) {
  std::vector<std::int32_t> place(static_cast<std::size_t>(counts.columns), -1);
  for (std::size_t i = 0; i < genes.size(); ++i)
    place[static_cast<std::size_t>(genes[i])] = static_cast<std::int32_t>(i);
  CsrMatrix chosen;
  chosen.rows = counts.rows;
  chosen.columns = static_cast<std::int64_t>(genes.size());
  std::vector<std::pair<std::int32_t, float>> row;
  for (std::int64_t cell = 0; cell < counts.rows; ++cell) {
    const auto columns = counts.row_indices(cell);
    const auto values = counts.row_values(cell);
    row.clear();
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (const std::int32_t to = place[static_cast<std::size_t>(columns[i])]; to >= 0) row.emplace_back(to, values[i]);
    std::sort(row.begin(), row.end());
    for (const auto& [column, value] : row) {
      chosen.indices.push_back(column);
      chosen.values.push_back(value);
    }
    chosen.row_start.push_back(static_cast<std::int64_t>(chosen.values.size()));
  }
  return chosen;
}

/// The most memory that this process has had since reset_peak (bytes); 0 where the system does not say.
std::int64_t peak_memory_now() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:") {
      std::int64_t kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024;
    }
  return 0;
}

void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

/// The labels of cells that have one, and the clusters of the same cells.
struct Agreement {
  std::vector<std::int32_t> truth;
  std::vector<std::int32_t> found;
};

Agreement labelled(const Labels& labels, const std::vector<std::int32_t>& clusters) {
  Agreement both;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (labels.codes[i] < 0) continue;
    both.truth.push_back(labels.codes[i]);
    both.found.push_back(clusters[i]);
  }
  return both;
}

Json silhouette_in(const DenseMatrix& space, const std::vector<std::int32_t>& clusters,
                   const std::function<void()>& poll) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const auto value = silhouette(space, {0, space.rows}, space.rows, clusters, *alone, poll);
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

ComparedData read_compared(const std::filesystem::path& prepared, const PreparationSettings& preparation) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const PreparedFile file(prepared, *alone);
  const RowRange rows{0, file.cells()};
  const CsrMatrix counts = file.read_rows(rows);
  ComparedData data;
  for (std::int64_t cell = 0; cell < counts.rows; ++cell) {
    const auto values = counts.row_values(cell);
    data.totals.push_back(static_cast<float>(std::accumulate(values.begin(), values.end(), 0.0)));
  }
  data.expression =
      prepare_expression(counts, file.cells(), rows, file.gene_names(), file.highly_variable(), preparation, *alone);
  data.counts = choose_columns(counts, data.expression.genes);
  return data;
}

MethodOutcome measured(const std::function<BaselineResult()>& work) {
  reset_peak();
  const auto start = std::chrono::steady_clock::now();
  MethodOutcome outcome;
  outcome.found = work();
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.peak_memory = peak_memory_now();
  return outcome;
}

BaselineResult run_mask_sc(const RunOptions& options, const RunPlace& place, const BaselineSettings& settings) {
  RunOptions mine = options;
  const OptionTable table = describe_run(mine);
  run_pipeline(mine, table, place);
  const ArrayFile file = ArrayFile::open(std::filesystem::path(options.output) / "result.h5ad");
  const std::vector<std::int64_t> shape = file.info("obsm/X_masksc").shape;
  BaselineResult result;
  result.features = DenseMatrix(shape.at(0), shape.at(1));
  result.features.values = file.read<float>("obsm/X_masksc");
  result.labels = cluster_features(result.features, settings);
  return result;
}

Json score(const MethodOutcome& outcome, const ComparedCells& cells, const std::function<void()>& poll) {
  Json scores = {{"seconds", outcome.seconds}, {"peak_memory_bytes", nullptr}};
  if (outcome.peak_memory > 0) scores["peak_memory_bytes"] = outcome.peak_memory;
  const auto add = [&](const std::string& suffix, const std::vector<std::int32_t>& clusters) {
    ensure(static_cast<std::int64_t>(clusters.size()) == cells.common_space.rows,
           "a method gives every cell a cluster");
    scores["clusters" + suffix] = std::set<std::int32_t>(clusters.begin(), clusters.end()).size();
    scores["silhouette" + suffix] = silhouette_in(outcome.found.features, clusters, poll);
    scores["silhouette_pca" + suffix] = silhouette_in(cells.common_space, clusters, poll);
    if (cells.labels.empty()) return;
    const Agreement both = labelled(cells.labels, clusters);
    if (both.truth.empty()) return;
    scores["ari" + suffix] = adjusted_rand_index(both.truth, both.found);
    scores["nmi" + suffix] = normalized_mutual_information(both.truth, both.found);
    scores["accuracy" + suffix] = clustering_accuracy(both.truth, both.found);
  };
  if (cells.clusters > 0) add("", outcome.found.labels.front());
  add("_auto", outcome.found.labels.back());
  return scores;
}

void write_method_result(const std::filesystem::path& path, const MethodOutcome& outcome, const ComparedCells& cells) {
  H5adWriter writer(path, cells.names, {});
  const auto named = [](const std::vector<std::int32_t>& clusters) {
    return name_clusters(clusters, *std::max_element(clusters.begin(), clusters.end()) + 1);
  };
  if (cells.clusters > 0) writer.add_obs("cluster", named(outcome.found.labels.front()));
  writer.add_obs("cluster_auto", named(outcome.found.labels.back()));
  writer.add_obsm("X_features", outcome.found.features.columns);
  writer.append_obsm("X_features", outcome.found.features);
  writer.finish();
}

}  // namespace masksc
