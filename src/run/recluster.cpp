#include "masksc/run/recluster.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/cluster/leiden.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/cluster/outcome.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/h5ad_copy.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/run/labels.hpp"
#include "outputs.hpp"

namespace masksc {
namespace {

/// What the input says of its cells.
struct KnownCells {
  std::int64_t cells = 0;
  Labels labels;                     // of all of them
  DenseMatrix embedding;             // of this rank's cells
  DenseMatrix components;            // likewise, or nothing
  bool has_column = false;           // of the name that the clusters get
  bool predicts_components = false;  // see CellFeatures
};

/// Whether the features are those of a training that predict its components (see CellFeatures).
bool predicts_components(const ReclusterOptions& options) {
  return options.features == features_name && !read_record_text(options.input, guided_key).empty() &&
         read_record_text(options.input, features_key) == features_from_components;
}

/// The matrix of obsm that --components means; "" for none.
std::string components_of(const ReclusterOptions& options) {
  if (options.components == "none") return {};
  if (options.components != "auto") return options.components;
  const std::vector<std::string> there = obsm_names(options.input);
  for (const char* name : {components_name, "X_pca"})
    if (options.features != name && std::find(there.begin(), there.end(), name) != there.end()) return name;
  return {};
}

/// What rank `rank` of so many reads.
KnownCells read_cells(const ReclusterOptions& options, int rank, int ranks) {
  KnownCells known;
  known.cells = count_cells(options.input);
  const RowRange rows = rows_of_rank(known.cells, rank, ranks);
  known.has_column = has_obs_column(options.input, options.column);
  if (!options.labels.empty()) known.labels = read_obs_labels(options.input, options.labels);
  known.embedding = read_obsm(options.input, options.features, known.cells, rows);
  const std::string components = components_of(options);
  if (!components.empty()) known.components = read_obsm(options.input, components, known.cells, rows);
  known.predicts_components = components == components_name && predicts_components(options);
  return known;
}

/// Options that have no part in what is asked for.
std::vector<std::string_view> unused_options(const ReclusterOptions& options) {
  if (options.method == ClusterMethod::leiden)
    return {"clusters", "clustering", "auto-clusters", "kmeans-restarts", "kmeans-iterations"};
  const std::string& clusters = options.cluster.clusters;
  const bool counted = clusters == "auto" || (clusters.empty() && options.labels.empty());
  return counted ? std::vector<std::string_view>()
                 : std::vector<std::string_view>{"auto-clusters", "resolution", "neighbours"};
}

/// All that the clusters and their scores depend on.
Json chosen_options(ReclusterOptions options) {
  Json chosen = result_values(describe_recluster(options), {"seed", "labels"});
  for (const std::string_view name : unused_options(options)) chosen.erase(std::string(name));
  return chosen;
}

void warn_of_unused(ReclusterOptions options) {
  ReclusterOptions defaults;
  const OptionTable given = describe_recluster(options);
  const OptionTable unset = describe_recluster(defaults);
  for (const std::string_view name : unused_options(options))
    if (const std::string value = given.find(name)->get(); value != unset.find(name)->get())
      log::warning(
          "--{} {} has no part in {}", name, value,
          options.method == ClusterMethod::leiden
              ? "--method leiden: --resolution and --neighbours steer it"
              : "K-means of a number of clusters that is given: it steers --method leiden and --clusters auto");
}

/// The column's name goes into HDF5, where a '/' would make groups of it. Throws UserError.
void check_column(const std::string& name) {
  if (name.empty() || name == "." || name.find('/') != std::string::npos)
    throw UserError(fmt::format("--column '{}': a column needs a name without '/'", shown(name)));
}

}  // namespace

OptionTable describe_recluster(ReclusterOptions& o) {
  OptionTable table;
  table.begin_group("Input and output", OptionRole::path);
  table.add("input", o.input, "h5ad with features of the cells: result.h5ad of a run, or any file of anndata", "FILE");
  table.add("output", o.output, "h5ad to write: all of the input, and the clusters", "FILE");
  table.add_switch("overwrite", o.overwrite, "replace an existing --output");
  table.add("labels", o.labels, "labels to compare with: column of obs", "COLUMN");
  table.begin_group("Clustering");
  table.add("features", o.features, "matrix of obsm to cluster", "NAME");
  table.add("components", o.components,
            "matrix of obsm in which the clusters are judged too (and sought, where X_masksc predicts X_masksc_pca), "
            "principal components of expression; auto: X_masksc_pca, X_pca or none",
            "auto|none|NAME");
  table.add("column", o.column, "column of obs for the clusters; one of that name is replaced", "NAME");
  table.add_choice("method", o.method, {{"kmeans", ClusterMethod::kmeans}, {"leiden", ClusterMethod::leiden}},
                   "K-means with a number of clusters, or the communities that Leiden finds at --resolution");
  describe(table, o.cluster);
  table.begin_group("Run", OptionRole::runtime);
  table.add("seed", o.seed, "seed of the clustering");
  table.add("threads", o.threads, "CPU threads a rank (0: its share of the cores that it may use)");
  table.add_switch("quiet", o.quiet, "only warnings, errors and the final table");
  return table;
}

Json recluster(const ReclusterOptions& options, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  validate(options.cluster);
  require_at_least("seed", options.seed, 0);
  require_at_least("threads", options.threads, 0);
  check_column(options.column);
  use_cores(options.threads, place);
  if (options.method == ClusterMethod::leiden && !options.cluster.clusters.empty())
    throw UserError("--method leiden finds the number of clusters itself: leave --clusters out, or use --resolution");
  if (ranks.is_root()) warn_of_unused(options);
  on_root(ranks, [&] {  // a damaged file ends a process of its own
    run_apart(fmt::format("'{}'", options.input), [&] {
      static_cast<void>(read_cells(options, 0, 1));
      return std::string();
    });
  });
  KnownCells known;
  together(ranks, [&] { known = read_cells(options, ranks.rank(), ranks.size()); });
  note_labels(known.labels, options.labels, options.method == ClusterMethod::kmeans && options.cluster.clusters.empty(),
              ranks, options.column);
  if (known.has_column && options.labels != options.column && ranks.is_root())
    log::warning("obs['{}'] of '{}' is not in the copy: the new clusters take its place", shown(options.column),
                 options.input);
  const std::int64_t cells = known.cells;
  const RowRange rows = own_rows(cells, ranks);
  const CellFeatures features{known.embedding, known.components, rows, cells, known.labels, known.predicts_components};
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const ClusterOutcome outcome = options.method == ClusterMethod::leiden
                                     ? leiden_clusters(options.cluster, features, seed, compute_threads(), ranks)
                                     : cluster_features(options.cluster, features, seed, compute_threads(), ranks);
  Json scores = score_json(outcome);
  scores["cells"] = cells;
  scores["features"] = known.embedding.columns;
  on_root(ranks, [&] {
    copy_with_clusters(options.input, options.output,
                       {.name = options.column,
                        .labels = name_clusters(outcome.all, outcome.clusters),
                        .record = {{"options", chosen_options(options)},
                                   {"metrics", scores},
                                   {"ranks", ranks.size()},
                                   {"version", version_and_commit()}}});
  });
  return scores;
}

}  // namespace masksc
