// A copy of an h5ad file with clusters more, and what such a copy tells of them.
#pragma once

#include <filesystem>
#include <string>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"

namespace masksc {

/// A column of obs, and how it was made.
struct ClusterColumn {
  std::string name;              // without '/'
  Labels labels;                 // one a cell
  Json record = Json::object();  // goes to uns['masksc_cluster'][name]
};

/// Writes to `to` all that the h5ad file `from` holds, as it is stored there, and obs[added.name], categorical, with
/// its record, in place of those of that name. `to` appears whole or stays as it was. Throws UserError when `from` is
/// no h5ad file, is damaged, or names its cells by that column; EnvironmentError when the disk refuses.
void copy_with_clusters(const std::filesystem::path& from, const std::filesystem::path& to, const ClusterColumn& added);

/// The clusters of that name which copy_with_clusters has added, or for "" the only ones; of the record numbers and
/// texts of its `metrics`, and as features_of the array of obsm that they were looked for in. Throws UserError when
/// there are none, or several and no name.
ClusterColumn read_added_clusters(const std::filesystem::path& path, const std::string& name);

}  // namespace masksc
