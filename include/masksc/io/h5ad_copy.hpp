// A copy of an h5ad file with one column more.
#pragma once

#include <filesystem>
#include <string>

#include "masksc/core/types.hpp"

namespace masksc {

/// Writes to `to` all that the h5ad file `from` holds, as it is stored there, and obs[column], categorical, in place of
/// one of that name; one label a cell. `to` appears whole or stays as it was. Throws UserError when `from` is no h5ad
/// file, is damaged, or names its cells by that column; EnvironmentError when the disk refuses.
void copy_with_labels(const std::filesystem::path& from, const std::filesystem::path& to, const std::string& column,
                      const Labels& labels);

}  // namespace masksc
