// The user's own choice of genes: a text file with one name a line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Indices in `gene_names`, ascending, of the names in the file at `path` (empty lines and spaces around names are
/// ignored). Rank 0 reads the file. A collective. Throws UserError when the file can't be read or is empty, and for
/// names that are unknown (the first few, each with the nearest known one), repeated in the list, or ambiguous.
std::vector<std::int64_t> read_gene_list(const std::string& path, std::span<const std::string> gene_names,
                                         Collectives& ranks);

/// The same of the file's `text`; `path` is for messages.
std::vector<std::int64_t> find_listed_genes(const std::string& text, const std::string& path,
                                            std::span<const std::string> gene_names);

}  // namespace masksc
