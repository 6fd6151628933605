// Genes of several files, joined by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

struct JoinedGenes {
  std::vector<std::string> names;
  std::vector<std::vector<std::int32_t>> column;  // of each gene of each file, -1 for one that is left out
};

/// `genes`: the names in each file, distinct within it; `files`: for messages. Genes stand in the order in which the
/// files have them first. Throws UserError when a file shares no gene with the others, or (inner) when none is in all.
JoinedGenes join_genes(const std::vector<std::vector<std::string>>& genes, GeneJoin join,
                       const std::vector<std::string>& files);

}  // namespace masksc
