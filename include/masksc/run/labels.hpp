// Labels that clusters are compared with, and batches: where they come from, and whether they can be what they are
// taken for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/io/result_names.hpp"

namespace masksc {

/// The labels that `settings` ask for, of the prepared file at `path`; empty when they ask for none. A collective.
/// Throws UserError when the file has none, or others.
Labels wanted_labels(const PreparedFile& file, const std::filesystem::path& path, const InputSettings& settings);

/// The batches in the prepared file at `path`; empty where it has none. A collective. Throws UserError when they are
/// not those that `settings` name.
Labels wanted_batches(const PreparedFile& file, const std::filesystem::path& path, const InputSettings& settings);

/// Throws UserError where the batches of `column` can't be any: more of them than half the cells. Rank 0 warns of small
/// ones where genes are standardised within them (`statistics`). Not a collective: equal on all ranks.
void check_batches(const Labels& batches, const std::string& column, bool statistics, const Collectives& ranks);

/// Throws UserError where labels of the `column` that `option` names can't be types of cells: more categories than half
/// the cells that have one.
void check_types(const Labels& labels, const std::string& option, const std::string& column);

/// Of the cells that have a label in `own`, the share that has the same one in `other`; nothing where no label is in
/// both. Both of all cells.
std::optional<double> share_alike(const Labels& own, const Labels& other);

/// How much the clusters say of the batches of `column`: their normalized mutual information, on rank 0, which warns
/// where it is high; null elsewhere, and where there are no batches or one. `clusters` of all cells, on rank 0.
Json batch_nmi(const Labels& batches, const std::string& column, std::span<const std::int32_t> clusters,
               const Collectives& ranks);

/// What users should know of the labels of `column` before clusters are compared with them, a sentence each: cells
/// without one, a single category, a column that the clusters will be in (`replaced`). Rank 0 tells it on the log. Not
/// a collective: equal on all ranks. Throws UserError where no cell has one, where they can't be types of cells (more
/// categories than half the cells), or where the `number_of_clusters` is to be that of the categories, and that is 1.
std::vector<std::string> note_labels(const Labels& labels, const std::string& column, bool number_of_clusters,
                                     const Collectives& ranks, const std::string& replaced = clusters_name);

}  // namespace masksc
