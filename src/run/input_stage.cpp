// The input of a run: the prepared file, and the expression that is made of it, in memory or read as needed.
#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/log.hpp"
#include "masksc/core/memory.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared_rows.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/labels.hpp"
#include "masksc/run/prepared_input.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {
namespace {

/// Whether an interrupted run left its prepared file sound.
bool still_prepared(const std::filesystem::path& path) {
  try {
    return is_prepared(path);
  } catch (const UserError& e) {
    log::warning("{}; the counts are read again", e.what());
    return false;
  }
}

/// Makes `input.kept`, where --keep-input asks for it, and returns the prepared file of this input: the input itself,
/// the one of an interrupted run, or a new one.
std::filesystem::path prepared_path(const RunOptions& options, const RunFolder& folder, RunInput& input) {
  const std::vector<std::filesystem::path> files = listed_inputs(options.inputs);
  if (const auto given = given_prepared(files, options.counts, options.keep_input)) return *given;
  const std::filesystem::path path = folder.path(prepared_name);
  if (options.keep_input) input.kept = folder.path(kept_name);
  const bool have_kept = input.kept.empty() || std::filesystem::exists(input.kept);
  if (folder.state() != FolderState::empty && folder.recorded_input().same_file(input.identity) && have_kept &&
      still_prepared(path))
    return path;
  input.warnings = prepare_aloud(files, options.counts, path, input.kept);
  return path;
}

/// Bytes of counts that a rank may hold; the same on all ranks. A collective.
double memory_budget(const DataSettings& settings, const RunPlace& place) {
  if (settings.memory_gib > 0) return settings.memory_gib * 1024 * 1024 * 1024;
  return place.ranks.all_reduce(free_memory() / 2 / place.local_size, ReduceOp::min);
}

/// Rows of which about 32 MiB are read at a time.
std::int64_t block_rows(const PreparedFile& file) {
  constexpr std::int64_t block_entries = std::int64_t{4} << 20;
  return std::clamp<std::int64_t>(block_entries * file.cells() / std::max<std::int64_t>(file.nonzeros(), 1), 1,
                                  file.cells());
}

}  // namespace

ReadCounts reader_of(const std::filesystem::path& path, Collectives& ranks) {
  std::shared_ptr<const PreparedRows> rows;
  together(ranks, [&] { rows = std::make_shared<const PreparedRows>(path); });
  return [rows](RowRange range) { return rows->read(range); };
}

void annotate(RunInput& input, const std::filesystem::path& path, const InputSettings& settings, bool batch_statistics,
              bool number_of_clusters, Collectives& ranks) {
  const PreparedFile& file = *input.file;
  input.batches = wanted_batches(file, path, settings);
  check_batches(input.batches, file.batch_column(), batch_statistics, ranks);
  input.labels = wanted_labels(file, path, settings);
  for (std::string& note : note_labels(input.labels, file.label_column(), number_of_clusters, ranks))
    input.warnings.push_back(std::move(note));
  input.label_categories = count_categories(input.labels);
}

RowRange own_rows(std::int64_t cells, const Collectives& ranks) {
  if (ranks.size() > cells)
    throw UserError(
        fmt::format("{} ranks for {} cell{}: use at most one rank a cell", ranks.size(), cells, cells == 1 ? "" : "s"));
  return rows_of_rank(cells, ranks.rank(), ranks.size());
}

RunInput prepare_input(const RunOptions& options, RunFolder& folder, const RunPlace& place) {
  Collectives& ranks = place.ranks;
  RunInput input;
  const std::string path = of_root(ranks, [&] {
    input.identity = identify(options.inputs);
    return prepared_path(options, folder, input).string();
  });
  input.file = std::make_unique<PreparedFile>(path, ranks);
  const PreparedFile& file = *input.file;
  input.identity.fingerprint = file.fingerprint();
  folder.check_data(input.identity.fingerprint);
  const std::int64_t cells = file.cells();
  const RowRange rows = own_rows(cells, ranks);
  annotate(input, path, options.counts, options.preparation.batch_statistics, options.cluster.clusters.empty(), ranks);
  input.shuffle = choose_shuffle(options.data, file.nonzeros());
  const DataBytes needed = data_bytes(cells, file.nonzeros(), ranks.size(), input.shuffle);
  const double budget = memory_budget(options.data, place);
  if (decide_streaming(needed, budget, options.data.memory_gib > 0, input.shuffle)) {
    log::info("the counts stay on disk: {} a rank in memory at a time, where all would take {}",
              format_bytes(needed.streamed), format_bytes(needed.resident));
    input.expression = prepare_streamed(reader_of(path, ranks), block_rows(file), cells, rows, file.gene_names(),
                                        file.highly_variable(), options.preparation, ranks, input.batches);
  } else {
    input.expression = prepare_expression(file.read_rows(rows), cells, rows, file.gene_names(), file.highly_variable(),
                                          options.preparation, ranks, input.batches);
  }
  return input;
}

}  // namespace masksc
