// A folder as Cell Ranger writes it: which of its files are the matrix, the features and the barcodes, and the names in
// them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "features.hpp"

namespace masksc {

struct MtxFolder {
  std::filesystem::path matrix;    // matrix.mtx
  std::filesystem::path features;  // features.tsv, or genes.tsv of Cell Ranger 2
  std::filesystem::path barcodes;  // barcodes.tsv
};

/// The files of `folder`, each plain or with .gz, all with one prefix ("GSM1_matrix.mtx.gz"). Throws UserError when one
/// is missing, one is there twice, or there are sets with several prefixes.
MtxFolder find_mtx(const std::filesystem::path& folder);

/// Features by their symbols (the second column; where there is only one, that), identifiers from the first, types from
/// the third.
Features read_feature_table(const std::filesystem::path& path);

/// The first column.
std::vector<std::string> read_barcodes(const std::filesystem::path& path);

}  // namespace masksc
