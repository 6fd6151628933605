// Formats of counts that others read and mask-sc does not.
#pragma once

#include <filesystem>

namespace masksc {

/// Of what could not be read: throws UserError where it is a file or folder of such a format, by its name or (Zarr)
/// what it holds, which says how to make h5ad of it.
void refuse_foreign(const std::filesystem::path& path);

/// Throws the UserError for the MuData file `path`, which has anndata's obs and var, but its counts one level below.
[[noreturn]] void refuse_mudata(const std::filesystem::path& path);

}  // namespace masksc
