#include "outputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/cluster/order.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/text.hpp"
#include "masksc/dist/root_work.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/io/result_names.hpp"

namespace masksc {
namespace {

constexpr std::int64_t block_rows = 16384;

/// Calls `work(rows of the block)` on rank 0 for all cells in order.
template <typename Work>
void for_each_block(const DealtRows& dealt, Collectives& ranks, const Work& work) {
  const DenseMatrix& local = dealt.local;
  const RowRange rows = dealt.rows;
  for (std::int64_t begin = 0; begin < dealt.cells; begin += block_rows) {
    const std::int64_t end = std::min(begin + block_rows, dealt.cells);
    const std::int64_t first = std::clamp(begin, rows.begin, rows.end) - rows.begin;
    const std::int64_t last = std::clamp(end, rows.begin, rows.end) - rows.begin;
    DenseMatrix block;
    block.rows = end - begin;
    block.columns = local.columns;
    block.values = ranks.gather_varied(std::span(local.values)
                                           .subspan(static_cast<std::size_t>(first * local.columns),
                                                    static_cast<std::size_t>((last - first) * local.columns)));
    on_root(ranks, [&] { work(block); });
  }
}

/// Not kept of an input: what is written here.
std::vector<std::string> written_names(const ResultExtras& extras) {
  std::vector<std::string> names = {fmt::format("obs/{}", clusters_name), fmt::format("var/{}", used_genes_name),
                                    fmt::format("uns/{}", run_name)};
  for (const char* name : {features_name, components_name, tsne_name, umap_name})
    names.push_back(fmt::format("obsm/{}", name));
  const auto add = [&](const auto& columns) {
    for (const auto& [name, _] : columns) names.push_back("obs/" + name);
  };
  add(extras.categories);
  add(extras.numbers);
  add(extras.flags);
  return names;
}

void add_extras(H5adWriter& writer, const ResultExtras& extras) {
  for (const auto& [name, labels] : extras.categories) writer.add_obs(name, labels);
  for (const auto& [name, values] : extras.numbers) writer.add_obs(name, values);
  for (const auto& [name, flags] : extras.flags) writer.add_obs(name, flags);
  if (!extras.maps) return;
  for (const auto& [name, points] :
       {std::pair(tsne_name, &extras.maps->tsne), std::pair(umap_name, &extras.maps->umap)}) {
    writer.add_obsm(name, 2);
    writer.append_obsm(name, *points);
  }
}

/// X: the counts of all cells of `file`, in blocks, to `writer` (rank 0's, null on the others). A collective.
void append_counts(H5adWriter* writer, const PreparedFile& file, Collectives& ranks) {
  for (std::int64_t begin = 0; begin < file.cells(); begin += block_rows) {
    const RowRange block = {begin, std::min(begin + block_rows, file.cells())};
    const CsrMatrix counts = file.read_rows(ranks.is_root() ? block : RowRange{begin, begin});
    on_root(ranks, [&] { writer->append_X(counts); });
  }
}

}  // namespace

std::string embedding_hash(const DealtRows& embedding, Collectives& ranks) {
  Hasher hasher;
  for_each_block(embedding, ranks, [&](const DenseMatrix& block) { hasher.add(std::span<const float>(block.values)); });
  return hasher.hex();
}

void write_result(const std::filesystem::path& path, const RunInput& input, const DenseMatrix& embedding,
                  const ClusterOutcome& outcome, const ResultExtras& extras, const Json& metrics,
                  const std::string& configuration, Collectives& ranks) {
  const std::int64_t cells = input.expression.cells;
  const std::vector<std::string> names = input.file->cell_names(ranks.is_root() ? RowRange{0, cells} : RowRange{0, 0});
  std::unique_ptr<H5adWriter> writer;
  on_root_alone(ranks, [&] {  // what is kept may take long
    writer = std::make_unique<H5adWriter>(path, names, input.file->gene_names());
    const std::vector<std::string>& ids = input.file->gene_ids();
    const std::vector<std::string> columns(ids.empty() ? 0 : 1, "var/gene_ids");
    if (!input.kept.empty()) writer->keep(input.kept, written_names(extras), columns);
    writer->add_obs(clusters_name, name_clusters(outcome.all, outcome.clusters));
    const std::string labels = input.file->label_column();
    const std::string batch = input.file->batch_column();
    // Batches first: a column 'batch/type' of labels would make a group in their place.
    if (!input.batches.empty() && !writer->has("obs/" + batch) && (input.labels.empty() || batch != labels))
      writer->add_obs(batch, input.batches);
    if (!input.labels.empty() && !writer->has("obs/" + labels)) writer->add_obs(labels, input.labels);
    std::vector<std::uint8_t> used(static_cast<std::size_t>(input.file->genes()), 0);
    for (const std::int64_t gene : input.expression.genes) used[static_cast<std::size_t>(gene)] = 1;
    writer->add_var(used_genes_name, used);
    if (!ids.empty() && !writer->has("var/gene_ids")) writer->add_var("gene_ids", ids);
    writer->set_uns(run_name, {{"configuration", configuration}, {"metrics", metrics}});
    writer->add_obsm(features_name, embedding.columns);
    writer->add_obsm(components_name, input.components.scores.columns);
    add_extras(*writer, extras);
  });
  const auto append = [&](const char* name, const DenseMatrix& local) {
    for_each_block({local, input.expression.rows, cells}, ranks,
                   [&](const DenseMatrix& block) { writer->append_obsm(name, block); });
  };
  append(features_name, embedding);
  append(components_name, input.components.scores);
  append_counts(writer.get(), *input.file, ranks);
  on_root(ranks, [&] { writer->finish(); });
}

}  // namespace masksc
