#include "masksc/run/recluster.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "masksc/cluster/leiden.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/run/clustering.hpp"
#include "masksc/run/outputs.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// Beside --output, until it is written.
class Scratch {
 public:
  explicit Scratch(const std::string& output) : folder_(staging_path(output).string() + ".d") {}
  ~Scratch() {
    std::error_code ignored;
    if (made_) fs::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void make() {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error)
      throw EnvironmentError(fmt::format("cannot make the folder '{}': {}", folder_.string(), error.message()));
    made_ = true;
  }
  [[nodiscard]] fs::path counts() const { return folder_ / "counts.h5"; }
  [[nodiscard]] fs::path rest() const { return folder_ / "rest.h5"; }

 private:
  fs::path folder_;
  bool made_ = false;
};

void check_h5ad(const fs::path& path) {
  const ArrayFile file = ArrayFile::open(path);
  if (!file.exists("obs") || !file.exists("obsm"))
    throw UserError(
        fmt::format("--input '{}' is no h5ad file with features (obsm): give result.h5ad of a run, or a "
                    "file of anndata",
                    path.string()));
}

DenseMatrix read_rows(const fs::path& path, const std::string& matrix, RowRange rows, std::int64_t cells) {
  const DenseMatrix all = read_obsm(path, matrix, cells);
  DenseMatrix local(rows.size(), all.columns);
  std::copy_n(all.values.begin() + rows.begin * all.columns, local.values.size(), local.values.begin());
  return local;
}

/// The matrix of obsm that --components means, of the file at `path`; "" for none. A collective.
std::string components_of(const ReclusterOptions& options, const fs::path& path, Collectives& ranks) {
  if (options.components == "none") return {};
  if (options.components != "auto") return options.components;
  std::string found;
  on_root(ranks, [&] {
    const ArrayFile file = ArrayFile::open(path);
    for (const char* name : {components_name, "X_pca"})
      if (found.empty() && options.features != name && file.exists(std::string("obsm/") + name)) found = name;
  });
  return broadcast_text(ranks, found);
}

void write(const ReclusterOptions& options, const Scratch& scratch, const PreparedFile& file,
           const ClusterOutcome& outcome, Collectives& ranks) {
  const std::vector<std::string> names = file.cell_names(ranks.is_root() ? RowRange{0, file.cells()} : RowRange{0, 0});
  std::unique_ptr<H5adWriter> writer;
  on_root(ranks, [&] {
    writer = std::make_unique<H5adWriter>(options.output, names, file.gene_names());
    writer->keep(scratch.rest(), {"obs/" + options.column});
    writer->add_obs(options.column, name_clusters(outcome.all, outcome.clusters));
  });
  append_counts(writer.get(), file, ranks);
  on_root(ranks, [&] { writer->finish(); });
}

}  // namespace

OptionTable describe_recluster(ReclusterOptions& o) {
  OptionTable table;
  table.begin_group("Input and output", OptionRole::path);
  table.add("input", o.input, "h5ad with features of the cells: result.h5ad of a run, or any other", "FILE");
  table.add("output", o.output, "h5ad to write: all of the input, and the clusters", "FILE");
  table.add_switch("overwrite", o.overwrite, "replace an existing --output");
  describe(table, o.counts);
  table.begin_group("Clustering");
  table.add("features", o.features, "matrix of obsm to cluster", "NAME");
  table.add("components", o.components,
            "matrix of obsm in which the clusters are judged too, principal components of expression; auto: "
            "X_masksc_pca, X_pca or none",
            "auto|none|NAME");
  table.add("column", o.column, "column of obs for the clusters; one of that name is replaced", "NAME");
  table.add_choice("method", o.method, {{"kmeans", ClusterMethod::kmeans}, {"leiden", ClusterMethod::leiden}},
                   "K-means with a number of clusters, or the communities that Leiden finds at --resolution");
  describe(table, o.cluster);
  table.begin_group("Run", OptionRole::runtime);
  table.add("seed", o.seed, "seed of the clustering");
  table.add("threads", o.threads, "CPU threads a rank (0: the cores it has)");
  table.add_switch("quiet", o.quiet, "only warnings, errors and the final table");
  return table;
}

Json recluster(const ReclusterOptions& options, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  validate(options.cluster);
  require_at_least("seed", options.seed, 0);
  require_at_least("threads", options.threads, 0);
  use_cores(options.threads, place);
  if (options.method == ClusterMethod::leiden && !options.cluster.clusters.empty())
    throw UserError("--method leiden finds the number of clusters itself: leave --clusters out, or use --resolution");
  Scratch scratch(options.output);
  on_root(ranks, [&] {
    check_h5ad(options.input);
    scratch.make();
    InputSettings counts = options.counts;
    counts.allow_noninteger = true;  // counts are copied, not used
    for (const std::string& warning :
         warnings_of(prepare_counts({options.input}, counts, scratch.counts(), scratch.rest())))
      log::warning("{}", warning);
  });
  const PreparedFile file(scratch.counts(), ranks);
  const std::int64_t cells = file.cells();
  const RowRange rows = own_rows(cells, ranks);
  const std::string components = components_of(options, scratch.rest(), ranks);
  DenseMatrix embedding;
  DenseMatrix known;
  together(ranks, [&] {
    embedding = read_rows(scratch.rest(), options.features, rows, cells);
    if (!components.empty()) known = read_rows(scratch.rest(), components, rows, cells);
  });
  const CellFeatures local{embedding, known};
  const Labels labels = file.labels();
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const ClusterOutcome outcome = options.method == ClusterMethod::leiden
                                     ? leiden_clusters(options.cluster, local, rows, cells, labels, seed, ranks)
                                     : cluster_features(options.cluster, local, rows, cells, labels, seed, ranks);
  write(options, scratch, file, outcome, ranks);
  Json scores = score_json(outcome);
  scores["cells"] = cells;
  scores["features"] = embedding.columns;
  return scores;
}

}  // namespace masksc
