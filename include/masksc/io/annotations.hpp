// What an h5ad file says of its cells besides counts: columns of obs, matrices of obsm.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

/// One column of obs: categories, or numbers (NaN is missing) where it has more than 30 different ones.
struct ObsColumn {
  std::string name;
  Labels categories;            // empty for numbers
  std::vector<double> numbers;  // empty for categories
};

/// The columns of obs that mean something to an eye: no column where every cell is alike or all cells differ in text,
/// none of a kind that is not read. Throws UserError when the file is no h5ad, or damaged.
std::vector<ObsColumn> read_obs(const std::filesystem::path& path);

/// Whether obs has a column `name`. Throws UserError when that is the one with the names of the cells, which can't be
/// replaced, or where the groups of a column NAME/... lie, and as read_obs.
bool has_obs_column(const std::filesystem::path& path, const std::string& name);

/// Of all cells. Throws UserError.
std::vector<std::string> read_cell_names(const std::filesystem::path& path);

/// Cells of an h5ad file. Throws UserError when it is none, or has none.
std::int64_t count_cells(const std::filesystem::path& path);

/// The labels in obs[column], one a cell, which `option` asks for. Throws UserError, with the columns there are, unless
/// it is there and labels some cell.
Labels read_obs_labels(const std::filesystem::path& path, const std::string& column, const char* option = "labels");

/// obsm/`name` as float32 [cells, columns], or these rows of it. Throws UserError (with the names there are) when it
/// isn't there, isn't a dense matrix with a row for each of `cells` cells, or holds values (in these rows) that aren't
/// finite.
DenseMatrix read_obsm(const std::filesystem::path& path, const std::string& name, std::int64_t cells);
DenseMatrix read_obsm(const std::filesystem::path& path, const std::string& name, std::int64_t cells, RowRange rows);

/// The text at `key` ("uns/...", result_names.hpp), or `missing` where the file has none.
std::string read_record_text(const std::filesystem::path& path, const char* key, const std::string& missing = "");

/// Names in obsm, sorted; none where the file has no obsm.
std::vector<std::string> obsm_names(const std::filesystem::path& path);

}  // namespace masksc
