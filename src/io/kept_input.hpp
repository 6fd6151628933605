// What users keep of an h5ad input beside its counts (--keep-input): read while the counts are, so that what is wrong
// with it is known before the training, and kept in a file of our own until the result is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

/// Throws UserError unless the input at `path` is an h5ad file.
void require_h5ad(const std::filesystem::path& path);

/// Copies obs, var, layers, obsm, varm, obsp, varp, uns and raw of the h5ad file `from` to the new file `to`; of the
/// index of obs and var its name alone (`_index`), not the names of cells and genes. `rows`: the rows of the input that
/// the result has; where these are not all, everything with one entry a cell loses the others. With the counts of raw
/// (settings.layer) of other genes than var has, var and varm are raw's, and what belongs to var's genes is left out;
/// else with those of raw or a layer X goes to layers/X. uns/log1p, which says that X holds logarithms, is left out
/// where it holds counts. Returns what was left out, with the reason. Throws UserError when the input is damaged or
/// leads into other files.
std::vector<std::string> keep_input(const std::filesystem::path& from, const InputSettings& settings,
                                    const std::vector<std::int64_t>& rows, const std::filesystem::path& to);

}  // namespace masksc
