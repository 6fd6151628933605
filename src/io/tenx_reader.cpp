// 10x HDF5. Cell Ranger 3 and later: `matrix` with `barcodes`, `data`, `indices`, `indptr`, `shape` and `features/{id,
// name, feature_type, genome}`. Before: one such group a genome, with `genes` and `gene_names`. The matrix is genes x
// cells, compressed by cell: read as rows it is cells x genes.
#include <fmt/format.h>

#include <algorithm>

#include "features.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

constexpr const char* new_group = "matrix";

[[noreturn]] void damaged(const ArrayFile& file, const std::string& name, const std::string& what) {
  throw UserError(fmt::format("'{}' in the 10x file '{}' {}; the file is damaged: copy or write it again", shown(name),
                              file.path().string(), what));
}

bool is_new(const ArrayFile& file) { return file.exists("matrix/features"); }

/// The groups of a file of Cell Ranger 2, one a genome.
std::vector<std::string> genome_groups(const ArrayFile& file) {
  std::vector<std::string> groups;
  for (const std::string& name : file.children("/"))
    if (file.exists(name + "/barcodes") && file.exists(name + "/indptr")) groups.push_back(name);
  return groups;
}

/// The matrix that the file holds, or the one that --genome names.
std::string choose_group(const ArrayFile& file, const InputSettings& settings) {
  if (is_new(file)) return new_group;
  const std::string path = file.path().string();
  const std::vector<std::string> groups = genome_groups(file);
  if (settings.feature_type != gene_expression)
    throw UserError(
        fmt::format("--feature-type '{}': '{}' is a 10x file of before Cell Ranger 3, which holds genes only: leave "
                    "the option out",
                    settings.feature_type, path));
  if (settings.genome.empty() && groups.size() == 1) return groups.front();
  if (settings.genome.empty())
    throw UserError(fmt::format("'{}' holds {} genomes: choose one with --genome; there are: {}", path, groups.size(),
                                shown(groups)));
  if (std::find(groups.begin(), groups.end(), settings.genome) == groups.end())
    throw UserError(fmt::format("--genome '{}' is not in '{}'{}; there are: {}", settings.genome, path,
                                suggestion(settings.genome, groups), shown(groups)));
  return settings.genome;
}

/// Cells x features.
MatrixShape read_shape(const ArrayFile& file, const std::string& group) {
  const std::string name = group + "/shape";
  if (!file.exists(name)) damaged(file, name, "is not there");
  const ArrayInfo info = file.info(name);
  if (info.kind != ArrayInfo::Kind::integer || info.size() != 2) damaged(file, name, "is no pair of numbers");
  const auto extents = file.read<std::int64_t>(name);
  if (extents[0] <= 0) damaged(file, name, fmt::format("claims {} genes", extents[0]));
  if (extents[1] <= 0) damaged(file, name, fmt::format("claims {} cells", extents[1]));
  if (extents[0] > INT32_MAX) damaged(file, name, fmt::format("claims {} genes", extents[0]));
  return {extents[1], extents[0]};
}

std::vector<std::string> read_names(const ArrayFile& file, const std::string& name, std::int64_t count) {
  if (!file.exists(name)) damaged(file, name, "is not there");
  std::vector<std::string> names = file.read_text(name);
  if (static_cast<std::int64_t>(names.size()) != count)
    damaged(file, name, fmt::format("has {} names where {} belong", names.size(), count));
  return names;
}

Features read_features(const ArrayFile& file, const std::string& group, std::int64_t count) {
  Features features;
  const std::string ids = is_new(file) ? "matrix/features/id" : group + "/genes";
  if (file.exists(ids)) try {
      features.ids = read_names(file, ids, count);
    } catch (const UserError& e) {  // nothing else depends on them
      log::warning("{}; the identifiers are left out", e.what());
    }
  if (!is_new(file)) {
    features.names = read_names(file, group + "/gene_names", count);
    return features;
  }
  features.names = read_names(file, "matrix/features/name", count);
  features.types = read_names(file, "matrix/features/feature_type", count);
  // Written by Cell Ranger, but not by all who write its format.
  if (file.exists("matrix/features/genome")) features.genomes = read_names(file, "matrix/features/genome", count);
  return features;
}

}  // namespace

bool looks_like_10x(const ArrayFile& file) { return is_new(file) || !genome_groups(file).empty(); }

std::unique_ptr<CountsReader> open_10x(ArrayFile file, const InputSettings& settings) {
  const std::string path = file.path().string();
  refuse_labels_and_layers(settings, path);
  const std::string group = choose_group(file, settings);
  const MatrixShape shape = read_shape(file, group);
  check_shape(file, group, shape);
  InputSettings within = settings;  // of a file of Cell Ranger 2 the group is the genome
  if (!is_new(file)) within.genome.clear();
  ChosenFeatures chosen = choose_features(read_features(file, group, shape.columns), within, path);
  MatrixReader::Parts parts{std::move(file), {}, {}, {}, {}, true};
  parts.place = {path,
                 group,
                 read_names(parts.file, group + "/barcodes", shape.rows),
                 std::move(chosen.names),
                 settings.allow_noninteger,
                 std::move(chosen.gene_of)};
  parts.gene_ids = std::move(chosen.ids);
  return std::make_unique<MatrixReader>(std::move(parts));
}

}  // namespace masksc
