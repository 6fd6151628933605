// h5ad: the matrix that is asked for, with names from obs and var and labels from a column of obs.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "columns.hpp"
#include "foreign_formats.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

std::vector<std::string> layer_names(const ArrayFile& file) {
  std::vector<std::string> names = file.exists("layers") ? file.children("layers") : std::vector<std::string>{};
  if (file.exists("raw/X") && file.exists("raw/var")) names.emplace_back("raw");
  return names;
}

/// Where the counts are, and the data frame of their genes.
struct Matrix {
  std::string name;
  std::string genes;
};

/// What to choose instead of the matrix that `layer` stands for.
[[noreturn]] void refuse_choice(const ArrayFile& file, const std::string& layer) {
  const std::string path = file.path().string();
  if (file.exists("mod")) refuse_mudata(path);
  const std::vector<std::string> names = layer_names(file);
  if (layer == "raw" && file.exists("raw/X"))
    throw UserError(fmt::format(
        "--layer raw: '{}' has raw/X, but no raw/var with the names of its genes: write it again with them", path));
  if (names.empty() && !file.exists("X"))
    throw UserError(fmt::format(
        "'{}' holds no counts: it has no X, no layers and no raw (raw/X and raw/var); write it again with counts",
        path));
  if (names.empty())
    throw UserError(fmt::format("--layer '{}' is not in '{}', which has no layers: leave the option out to read X",
                                shown(layer), path));
  if (layer.empty())
    throw UserError(fmt::format("'{}' has no X: choose counts with --layer; there are: {}", path, shown(names)));
  throw UserError(fmt::format("--layer '{}' is not in '{}'{}; there are: {}", shown(layer), path,
                              suggestion(layer, names), shown(names)));
}

Matrix choose_matrix(const ArrayFile& file, const std::string& layer) {
  if (layer.empty() && file.exists("X")) return {"X", "var"};
  if (layer == "raw" && file.exists("raw/X") && file.exists("raw/var")) return {"raw/X", "raw/var"};
  if (!layer.empty() && file.exists("layers/" + layer)) return {"layers/" + layer, "var"};
  refuse_choice(file, layer);
}

/// The batches in obs, where `column` names some. Throws UserError when a cell has none.
void read_batches(MatrixReader::Parts& parts, const std::string& column, std::int64_t cells) {
  const ArrayFile& file = parts.file;
  const std::vector<std::string>& columns = parts.obs_columns;
  if (column.empty() || std::find(columns.begin(), columns.end(), column) == columns.end()) return;
  parts.batches = read_labels(file, "obs/" + column, cells);
  const auto missing = std::find(parts.batches.codes.begin(), parts.batches.codes.end(), -1);
  if (missing != parts.batches.codes.end())
    throw UserError(
        fmt::format("--batch-key '{}': obs of '{}' has no value for cell {} ('{}'); give every cell a batch",
                    shown(column), file.path().string(), missing - parts.batches.codes.begin(),
                    shown(parts.place.cell_names[static_cast<std::size_t>(missing - parts.batches.codes.begin())])));
  parts.batch_column = column;
}

/// var['highly_variable'] for the genes of `matrix`; the genes of raw/var take the flags of their namesakes in var.
std::vector<std::uint8_t> read_highly_variable(const ArrayFile& file, const Matrix& matrix,
                                               const std::vector<std::string>& genes) {
  const auto count = static_cast<std::int64_t>(genes.size());
  std::vector<std::uint8_t> flags = read_flags(file, matrix.genes + "/highly_variable", count);
  if (!flags.empty() || matrix.genes == "var" || !file.exists("var/highly_variable")) return flags;
  const bool nullable = file.exists("var/highly_variable/values");
  const std::int64_t known = file.info(nullable ? "var/highly_variable/values" : "var/highly_variable").rows();
  const std::vector<std::uint8_t> chosen = read_flags(file, "var/highly_variable", known);
  if (chosen.empty()) return flags;
  const std::vector<std::string> names = read_frame_names(file, "var", known);
  std::unordered_set<std::string> variable;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (chosen[i] != 0) variable.insert(names[i]);
  for (const std::string& gene : genes) flags.push_back(variable.contains(gene) ? 1 : 0);
  return flags;
}

/// The texts in `frame`['gene_ids'], where scanpy keeps what 10x calls the genes; none where there is no such column.
std::vector<std::string> read_gene_ids(const ArrayFile& file, const std::string& frame, std::int64_t genes) {
  const std::string name = frame + "/gene_ids";
  if (!file.exists(name)) return {};
  try {
    return texts_of(read_labels(file, name, genes));
  } catch (const UserError&) {  // numbers, all missing, another length
    log::warning("'{}' in '{}' is no column of texts and is left out", name, file.path().string());
    return {};
  }
}

}  // namespace

bool looks_like_h5ad(const ArrayFile& file) { return file.exists("obs") && file.exists("var"); }

std::unique_ptr<CountsReader> open_h5ad(ArrayFile file, const InputSettings& settings) {
  const Matrix matrix = choose_matrix(file, settings.layer);
  const MatrixShape shape = matrix_shape(file, matrix.name);
  check_shape(file, matrix.name, shape);
  MatrixReader::Parts parts{std::move(file), {}, {}, {}, {}};
  const ArrayFile& in = parts.file;
  parts.place = {in.path().string(), matrix.name, read_frame_names(in, "obs", shape.rows),
                 read_frame_names(in, matrix.genes, shape.columns), settings.allow_noninteger};
  if (!settings.labels.empty()) {
    parts.labels = read_obs_labels(in, settings.labels, shape.rows);
    parts.label_column = settings.labels;
  }
  parts.obs_columns = frame_columns(parts.file, "obs");
  read_batches(parts, settings.batch_key, shape.rows);
  parts.highly_variable = read_highly_variable(in, matrix, parts.place.gene_names);
  parts.gene_ids = read_gene_ids(in, matrix.genes, shape.columns);
  return std::make_unique<MatrixReader>(std::move(parts));
}

}  // namespace masksc
