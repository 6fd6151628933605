// Names that repeat, made unique as anndata's var_names_make_unique and obs_names_make_unique make them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace masksc {

/// The first of several equal names stays, the others become NAME-1, NAME-2, ..., without those that are names already.
/// Returns how many were changed.
std::int64_t make_unique_names(std::vector<std::string>& names);

}  // namespace masksc
