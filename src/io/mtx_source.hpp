// The matrix of a 10x folder: Matrix Market coordinates (features x cells), read in bands of cells.
#pragma once

#include <filesystem>
#include <memory>

#include "counts_source.hpp"

namespace masksc {

/// Reads the whole of `file` once, to know that it is sound and how many counts a cell has. `place` must outlive the
/// source. A file whose entries come cell by cell (as Cell Ranger writes it) is then read once more, in bands of
/// `sorted_bytes`; any other once more for every `band_bytes` of counts. Entries of the same gene and cell are added
/// up, as scipy does. Throws UserError that names the line.
std::unique_ptr<CountsSource> make_mtx_source(const std::filesystem::path& file, const CountsPlace& place,
                                              std::int64_t sorted_bytes = std::int64_t{64} << 20,
                                              std::int64_t band_bytes = std::int64_t{1} << 30);

}  // namespace masksc
