// Which format a file has, and the options of inputs.
#include "masksc/io/counts_reader.hpp"

#include <fmt/format.h>

#include "foreign_formats.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/prepared.hpp"
#include "mtx_folder.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

/// "X (array 3 x 4), obs (group)".
std::string contents(const ArrayFile& file) {
  constexpr std::size_t most = 20;
  std::vector<std::string> parts;
  for (const std::string& name : file.children("/")) {
    if (parts.size() == most) {
      parts.emplace_back("...");
      break;
    }
    if (!file.exists(name)) continue;
    const ArrayInfo info = file.info(name);
    parts.push_back(info.is_group() ? shown(name) + " (group)"
                                    : fmt::format("{} (array {})", shown(name), info.shape_text()));
  }
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

[[noreturn]] void refuse_layout(const ArrayFile& file) {
  refuse_foreign(file.path());
  throw UserError(fmt::format(
      "'{}' has no layout that mask-sc reads: it holds {}; expected X (cells x genes) and optionally Y, an h5ad file "
      "(X, obs, var), or a 10x file (matrix with features and barcodes)",
      file.path().string(), contents(file)));
}

ArrayFile open_hdf5(const std::filesystem::path& path) {
  try {
    return ArrayFile::open(path);
  } catch (const UserError&) {
    refuse_foreign(path);
    throw;
  }
}

/// Throws UserError for choices that only 10x inputs have.
void refuse_10x_choices(const std::filesystem::path& path, const InputSettings& settings) {
  const bool has_genome = !settings.genome.empty();
  if (!has_genome && settings.feature_type == gene_expression) return;
  throw UserError(fmt::format("--{} '{}': '{}' is no 10x file: leave the option out",
                              has_genome ? "genome" : "feature-type",
                              has_genome ? settings.genome : settings.feature_type, path.string()));
}

}  // namespace

void describe(OptionTable& table, InputSettings& settings) {
  table.begin_group("Input", OptionRole::path);
  table.add(
      "labels", settings.labels,
      "labels to compare with, whose number is that of clusters without --clusters: column of obs (h5ad) or Y (X/Y "
      "file)",
      "COLUMN");
  table.begin_group("Input", OptionRole::result);
  table.add("layer", settings.layer, "counts of an h5ad file: a layer's name, or raw; empty is X", "NAME|raw");
  table.add_switch("allow-noninteger", settings.allow_noninteger,
                   "accept normalised data: values only finite and not negative");
  table.add("genome", settings.genome, "genome of a 10x input that holds several", "NAME");
  table.add("feature-type", settings.feature_type, "type of the features of a 10x input that are read", "NAME");
  table.add_choice("join", settings.join, {{"inner", GeneJoin::inner}, {"outer", GeneJoin::outer}},
                   "of several inputs: genes that all have, or that any has (0 in the others)");
  table.add(
      "batch-key", settings.batch_key,
      "column of obs with the batch of a cell, for --batch-statistics and the result; where no input has it, it is "
      "made of the files' names (several inputs: batch when empty)",
      "COLUMN");
}

CsrMatrix MatrixReader::read_rows(RowRange rows) {
  if (rows.begin < 0 || rows.begin > rows.end || rows.end > cells())
    throw InvariantError(fmt::format("rows [{}, {}) of {} cells", rows.begin, rows.end, cells()));
  if (!source_) source_ = source_of(parts_);
  return source_->read_rows(rows);
}

void check_shape(const ArrayFile& file, const std::string& matrix, MatrixShape shape) {
  std::error_code ignored;
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(file.path(), ignored));
  // A cell or gene takes at least a bit of the file, whatever compresses it.
  constexpr std::int64_t always_allowed = 1 << 20;
  if (std::max(shape.rows, shape.columns) > always_allowed && std::max(shape.rows, shape.columns) / 8 > bytes)
    throw UserError(
        fmt::format("'{}' in '{}' claims {} cells x {} genes, but the file has {} bytes; the file is "
                    "damaged: copy or write it again",
                    matrix, file.path().string(), shape.rows, shape.columns, bytes));
}

std::unique_ptr<CountsReader> open_counts(const std::filesystem::path& path, const InputSettings& settings) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_mtx(path, settings);
  if (const std::string name = path.filename().string(); name.ends_with(".mtx") || name.ends_with(".mtx.gz"))
    throw UserError(fmt::format("'{}' is read with its genes and barcodes: give the folder that holds them, '{}'",
                                path.string(), std::filesystem::absolute(path).parent_path().string()));
  if (is_prepared(path)) return open_prepared(path, settings);
  ArrayFile file = open_hdf5(path);
  const bool is_h5ad = looks_like_h5ad(file);
  if (!is_h5ad && !looks_like_xy(file) && looks_like_10x(file)) return open_10x(std::move(file), settings);
  refuse_10x_choices(path, settings);
  if (is_h5ad) return open_h5ad(std::move(file), settings);
  if (looks_like_xy(file)) return open_xy(std::move(file), settings);
  refuse_layout(file);
}

std::vector<std::filesystem::path> input_files(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return {path};
  const MtxFolder found = find_mtx(path);
  return {found.matrix, found.features, found.barcodes};
}

}  // namespace masksc
