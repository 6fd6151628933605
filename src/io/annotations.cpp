#include "masksc/io/annotations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "columns.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::size_t most_categories_of_numbers = 30;

ArrayFile open_h5ad_file(const std::filesystem::path& path) {
  ArrayFile file = ArrayFile::open(path);
  if (!file.exists("obs") || !file.exists("var"))
    throw UserError(fmt::format("'{}' is no h5ad file: it has no obs and var", path.string()));
  return file;
}

bool is_numbers(const ArrayFile& file, const std::string& name) {
  const ArrayInfo info = file.info(file.exists(name + "/values") ? name + "/values" : name);
  return info.kind == ArrayInfo::Kind::integer || info.kind == ArrayInfo::Kind::floating;
}

}  // namespace

std::vector<ObsColumn> read_obs(const std::filesystem::path& path) {
  const ArrayFile file = open_h5ad_file(path);
  std::vector<ObsColumn> columns;
  const std::int64_t cells = frame_rows(file, "obs");
  for (const std::string& name : frame_columns(file, "obs")) {
    const std::string place = "obs/" + name;
    try {
      ObsColumn column{name, read_labels(file, place, cells), {}};
      const std::size_t kinds = column.categories.names.size();
      const bool numbers = is_numbers(file, place) && !file.exists(place + "/codes");
      if (kinds < 2 || (!numbers && static_cast<std::int64_t>(kinds) == cells)) continue;
      if (numbers && kinds > most_categories_of_numbers) {
        column.numbers = read_numbers(file, place);
        column.categories = {};
      }
      columns.push_back(std::move(column));
    } catch (const UserError& e) {
      log::warning("obs['{}'] is left out: {}", shown(name), e.what());
    }
  }
  return columns;
}

bool has_obs_column(const std::filesystem::path& path, const std::string& name) {
  const ArrayFile file = open_h5ad_file(path);
  if (frame_index(file, "obs") == name)
    throw UserError(
        fmt::format("obs['{}'] of '{}' holds the names of the cells: choose another column for the clusters",
                    shown(name), path.string()));
  const std::vector<std::string> columns = ordered_columns(file, "obs");
  for (const std::string& column : columns)
    if (column.starts_with(name + "/"))
      throw UserError(
          fmt::format("obs['{}'] of '{}' lies where obs['{}'] would: choose another column for the clusters",
                      shown(column), path.string(), shown(name)));
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

std::vector<std::string> read_cell_names(const std::filesystem::path& path) {
  const ArrayFile file = open_h5ad_file(path);
  return read_frame_names(file, "obs", frame_rows(file, "obs"));
}

std::int64_t count_cells(const std::filesystem::path& path) {
  const std::int64_t cells = frame_rows(open_h5ad_file(path), "obs");
  if (cells < 1) throw UserError(fmt::format("'{}' has no cells", path.string()));
  return cells;
}

Labels read_obs_labels(const std::filesystem::path& path, const std::string& column, const char* option) {
  const ArrayFile file = open_h5ad_file(path);
  return read_obs_labels(file, column, frame_rows(file, "obs"), option);
}

std::vector<std::string> obsm_names(const std::filesystem::path& path) {
  const ArrayFile file = open_h5ad_file(path);
  return file.exists("obsm") ? file.children("obsm") : std::vector<std::string>{};
}

DenseMatrix read_obsm(const std::filesystem::path& path, const std::string& name, std::int64_t cells) {
  return read_obsm(path, name, cells, {0, cells});
}

DenseMatrix read_obsm(const std::filesystem::path& path, const std::string& name, std::int64_t cells, RowRange rows) {
  const ArrayFile file = open_h5ad_file(path);
  const std::string place = "obsm/" + name;
  if (!file.exists("obsm") || !file.exists(place)) {
    const std::vector<std::string> names = file.exists("obsm") ? file.children("obsm") : std::vector<std::string>{};
    throw UserError(fmt::format("obsm['{}'] is not in '{}'{}; there are: {}", shown(name), path.string(),
                                suggestion(name, names), shown(names)));
  }
  const ArrayInfo info = file.info(place);
  if (info.is_group())
    throw UserError(fmt::format("obsm['{}'] of '{}' is no dense matrix (encoding-type '{}'): give an array of numbers",
                                shown(name), path.string(),
                                shown(file.text_attribute(place, "encoding-type").value_or("none"))));
  if (!info.is_numeric() || info.shape.size() != 2 || info.shape[0] != cells || info.shape[1] < 1)
    throw UserError(fmt::format("obsm['{}'] of '{}' is no dense matrix with a row for each of {} cells ({})",
                                shown(name), path.string(), cells, info.shape_text()));
  DenseMatrix matrix;
  matrix.rows = rows.size();
  matrix.columns = info.shape[1];
  matrix.values = file.read_rows<float>(place, rows);
  const auto bad = std::find_if(matrix.values.begin(), matrix.values.end(), [](float v) { return !std::isfinite(v); });
  if (bad != matrix.values.end())
    throw UserError(fmt::format("obsm['{}'] of '{}' holds {} in row {}: values must be finite", shown(name),
                                path.string(), *bad, rows.begin + (bad - matrix.values.begin()) / matrix.columns));
  return matrix;
}

std::string read_record_text(const std::filesystem::path& path, const char* key, const std::string& missing) {
  const ArrayFile file = ArrayFile::open(path);
  if (!file.exists(key)) return missing;
  const std::vector<std::string> text = file.read_text(key);
  return text.empty() ? missing : text.front();
}

}  // namespace masksc
