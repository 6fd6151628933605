#include "masksc/run/report_stage.hpp"

#include <fmt/format.h>

#include "attention.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/root_work.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/run/output_folder.hpp"

namespace masksc {
namespace {

std::optional<AttentionGrid> attention_of(const RunContent& run) {
  const std::filesystem::path folder = run.model.empty() ? run.folder / "model" : std::filesystem::path(run.model);
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "model.json", ignored)) return std::nullopt;
  try {
    const auto alone = single_rank();
    return attend(load_model(folder, at::kCPU, *alone), run);
  } catch (const UserError& e) {
    log::warning("the report has no attention: {}", e.what());
    return std::nullopt;
  }
}

/// Of rank 0, while the others of its node sleep. A collective.
int threads_of_root(Collectives& ranks) { return compute_threads() * ranks_on_node(ranks); }

/// Where all cells are, on rank 0, when each rank places its own among the mapped ones. A collective.
CellMaps place_all(const DenseMatrix& local, const DenseMatrix& mapped, CellMaps maps, Collectives& ranks) {
  ranks.broadcast(std::span(maps.tsne.values));
  ranks.broadcast(std::span(maps.umap.values));
  CellMaps all;
  together(ranks, [&] { all = place_cells(local, mapped, maps, compute_threads()); });
  for (DenseMatrix* map : {&all.tsne, &all.umap}) {
    map->values = ranks.gather_varied(std::span<const float>(map->values));
    map->rows = std::ssize(map->values) / 2;
  }
  return all;
}

}  // namespace

std::optional<CellMaps> map_stage(const ReportSettings& settings, const DealtRows& embedding, std::uint64_t seed,
                                  Collectives& ranks) {
  if (!settings.report) return std::nullopt;
  ensure(embedding.rows.size() == embedding.local.rows, "map_stage: rows do not match");
  const DealtSample sample = take_rows(embedding, sample_rows(embedding.cells, most_mapped_cells, 0));
  DenseMatrix mapped(0, embedding.local.columns);
  mapped.values = ranks.all_gather_varied(std::span<const float>(sample.local.values));
  mapped.rows = sample.cells();
  CellMaps maps = {DenseMatrix(mapped.rows, 2), DenseMatrix(mapped.rows, 2)};
  log::info("maps: t-SNE and UMAP of {} cells", mapped.rows);
  const int threads = threads_of_root(ranks);
  on_root_alone(ranks, [&] { maps = map_cells(mapped, seed, threads); });
  if (embedding.cells > most_mapped_cells) maps = place_all(embedding.local, mapped, std::move(maps), ranks);
  if (!ranks.is_root()) return std::nullopt;
  return maps;
}

void report_stage(const ReportSettings& settings, const std::filesystem::path& folder, Collectives& ranks) {
  if (!settings.report) return;
  const int threads = threads_of_root(ranks);
  on_root_alone(ranks, [&] { report_or_warn(folder, {settings.genes, threads}); });
}

RunContent read_attended_run(const std::filesystem::path& folder, const std::optional<OtherClusters>& other) {
  RunContent run = read_run(folder, other);
  run.attention = attention_of(run);
  return run;
}

void write_report(const std::filesystem::path& folder, const std::filesystem::path& page, const PageSettings& settings,
                  const std::optional<OtherClusters>& other) {
  Json data;
  const FolderContent content = content_of(folder);
  if (content == FolderContent::comparison || content == FolderContent::sweep) {
    if (!settings.genes.empty())
      throw UserError(fmt::format("--report-genes: '{}' is {}, whose page shows no cells: leave the option out",
                                  folder.string(), described(content)));
    if (other)
      throw UserError(fmt::format("--clusters: '{}' is {}, whose page shows no cells: leave the option out",
                                  folder.string(), described(content)));
    data = page_of_study(folder);
  } else {
    data = page_of_run(read_attended_run(folder, other), settings);
  }
  write_page(page, data);
  log::info("report: {}", page.string());
}

bool report_or_warn(const std::filesystem::path& folder, const PageSettings& settings) {
  try {
    write_report(folder, folder / "report.html", settings);
    return true;
  } catch (const Error& e) {
    log::warning("report.html is not written: {}", e.what());
    return false;
  }
}

}  // namespace masksc
