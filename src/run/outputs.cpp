#include "masksc/run/outputs.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "masksc/cluster/order.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/text.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/report/run_content.hpp"

namespace masksc {
namespace {

constexpr std::int64_t block_rows = 16384;

/// Calls `work(rows of the block)` on rank 0 for all cells in order.
template <typename Work>
void for_each_block(const DenseMatrix& embedding, RowRange rows, std::int64_t cells, Collectives& ranks,
                    const Work& work) {
  for (std::int64_t begin = 0; begin < cells; begin += block_rows) {
    const std::int64_t end = std::min(begin + block_rows, cells);
    const std::int64_t first = std::clamp(begin, rows.begin, rows.end) - rows.begin;
    const std::int64_t last = std::clamp(end, rows.begin, rows.end) - rows.begin;
    DenseMatrix block;
    block.rows = end - begin;
    block.columns = embedding.columns;
    block.values = ranks.gather_varied(std::span(embedding.values)
                                           .subspan(static_cast<std::size_t>(first * embedding.columns),
                                                    static_cast<std::size_t>((last - first) * embedding.columns)));
    on_root(ranks, [&] { work(block); });
  }
}

void add_extras(H5adWriter& writer, const ResultExtras& extras) {
  for (const auto& [name, labels] : extras.categories) writer.add_obs(name, labels);
  for (const auto& [name, values] : extras.numbers) writer.add_obs(name, values);
  if (!extras.maps) return;
  for (const auto& [name, points] :
       {std::pair(tsne_name, &extras.maps->tsne), std::pair(umap_name, &extras.maps->umap)}) {
    writer.add_obsm(name, 2);
    writer.append_obsm(name, *points);
  }
}

}  // namespace

std::string embedding_hash(const DenseMatrix& embedding, RowRange rows, std::int64_t cells, Collectives& ranks) {
  Hasher hasher;
  for_each_block(embedding, rows, cells, ranks,
                 [&](const DenseMatrix& block) { hasher.add(std::span<const float>(block.values)); });
  return hasher.hex();
}

void append_counts(H5adWriter* writer, const PreparedFile& file, Collectives& ranks) {
  for (std::int64_t begin = 0; begin < file.cells(); begin += block_rows) {
    const RowRange block = {begin, std::min(begin + block_rows, file.cells())};
    const CsrMatrix counts = file.read_rows(ranks.is_root() ? block : RowRange{begin, begin});
    on_root(ranks, [&] { writer->append_X(counts); });
  }
}

void write_result(const std::filesystem::path& path, const RunInput& input, const DenseMatrix& embedding,
                  const ClusterOutcome& outcome, const ResultExtras& extras, const Json& metrics,
                  const std::string& configuration, Collectives& ranks) {
  const std::int64_t cells = input.expression.cells;
  const std::vector<std::string> names = input.file->cell_names(ranks.is_root() ? RowRange{0, cells} : RowRange{0, 0});
  std::unique_ptr<H5adWriter> writer;
  on_root(ranks, [&] {
    writer = std::make_unique<H5adWriter>(path, names, input.file->gene_names());
    if (!input.kept.empty())
      writer->keep(input.kept, {"obs/masksc", "var/masksc", "uns/masksc", "obsm/X_masksc", "obsm/X_masksc_umap",
                                "obsm/X_masksc_tsne"});
    writer->add_obs("masksc", name_clusters(outcome.all, outcome.clusters));
    const std::string labels = input.file->label_column();
    if (!input.labels.empty() && !writer->has("obs/" + labels)) writer->add_obs(labels, input.labels);
    const std::string batch = input.file->batch_column();
    if (!input.batches.empty() && !writer->has("obs/" + batch) && (input.labels.empty() || batch != labels))
      writer->add_obs(batch, input.batches);
    std::vector<std::uint8_t> used(static_cast<std::size_t>(input.file->genes()), 0);
    for (const std::int64_t gene : input.expression.genes) used[static_cast<std::size_t>(gene)] = 1;
    writer->add_var("masksc", used);
    writer->set_uns("masksc", {{"configuration", configuration}, {"metrics", metrics}});
    writer->add_obsm("X_masksc", embedding.columns);
    add_extras(*writer, extras);
  });
  for_each_block(embedding, input.expression.rows, cells, ranks,
                 [&](const DenseMatrix& block) { writer->append_obsm("X_masksc", block); });
  append_counts(writer.get(), *input.file, ranks);
  on_root(ranks, [&] { writer->finish(); });
}

void start_peak_memory() {
  release_kept_memory();
  std::ofstream("/proc/self/clear_refs") << 5;
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

std::string score_rows(const Json& scores) {
  const auto score = [&](const char* name) {
    return scores.at(name).is_null() ? std::string("-") : fmt::format("{:.3f}", scores.at(name).get<double>());
  };
  std::string text = fmt::format("  {:<12}{:>10}   ({})\n", "clusters", scores.at("clusters").get<std::int64_t>(),
                                 printable(scores.at("clusters_by").get<std::string>()));
  const std::string note = silhouette_note(scores);
  text += fmt::format("  {:<12}{:>10}\n  {:<12}{:>10}\n  {:<12}{:>10}{}\n", "ARI", score("ari"), "NMI", score("nmi"),
                      "silhouette", score("silhouette"), note.empty() ? note : fmt::format("   ({})", note));
  return text;
}

std::string result_table(const Json& m, const std::string& folder) {
  std::string text = fmt::format("\n  {:<12}{:>10}\n", "cells", m.at("cells").get<std::int64_t>());
  text += fmt::format("  {:<12}{:>10}\n", "genes", m.at("genes").get<std::int64_t>());
  text += score_rows(m);
  text += fmt::format("  {:<12}{:>10}   ({} ranks, {:.0f} cells/s in training)\n", "time",
                      format_duration(m.at("seconds").at("total").get<double>()), m.at("ranks").get<int>(),
                      m.at("cells_per_second").get<double>());
  text += fmt::format("  {:<12}{}\n\n", "results", folder);
  return text;
}

}  // namespace masksc
