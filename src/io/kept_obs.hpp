// What users keep of several h5ad inputs beside their counts (--keep-input): obs, as anndata.concat joins it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

/// Writes the columns of obs that all the h5ad files `from` have, in the order of the first, to the new file `to`: of
/// the joined cells those in `rows`. Numbers and flags stay what they are (int64, uint64 where some need it, float64
/// where some are not whole or missing); all else, and what none of these types holds without loss, is categorical, or
/// text where most cells differ. Not the column of that name where `batch` is made of the files, nor labels that an
/// earlier masksc_embed transferred. Returns what was left out, with the reason. Throws UserError when an input is
/// damaged.
std::vector<std::string> keep_obs(const std::vector<std::filesystem::path>& from, const InputSettings& settings,
                                  const std::vector<std::int64_t>& rows, const std::filesystem::path& to);

/// Why a column that is_transferred() is not kept: it would pass for the new result's.
inline constexpr const char* earlier_transfer = "of an earlier masksc_embed";

}  // namespace masksc
