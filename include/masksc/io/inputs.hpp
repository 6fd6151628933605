// Several inputs as one: their cells one after the other, their genes joined by name, as anndata.concat joins them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

/// The files that --input names, in their order: FILE, or @LIST for those that the text file LIST names, one a line
/// (empty lines and lines that begin with # are left out; relative names are relative to the list's folder). Throws
/// UserError for a list that can't be read or is empty, and for a file that is named twice.
std::vector<std::filesystem::path> listed_inputs(std::span<const std::string> given);

/// What tells the files apart: their names without extension or, where these repeat (as those of Cell Ranger do), those
/// of the folders above, at the first level at which all differ.
std::vector<std::string> short_names(std::span<const std::filesystem::path> files);

/// "'a.h5ad' or one of the 2 other inputs": for messages.
std::string subject_of(std::span<const std::filesystem::path> files);

/// One reader of all `files`. One file alone is read as it is. Of several:
/// - genes are joined by name (of equal names of a file the second is NAME-1): settings.join says which stay, in the
///   order in which the files have them first; what a file lacks is 0. highly_variable: flagged in every file, none
///   where a file has no flags;
/// - where two files have cells of one name, all cells are called NAME-FILE (see short_names);
/// - labels must be in every file; their names are in the order of the files.
/// Batches are the values of obs[settings.batch_key] where every file has it. Where none has it, and by the column
/// `batch` where no key is given, they are the short names of several files. Memory is that of the names and of reading
/// one file. Throws UserError as open_counts does, for genes that no two files share (with the first names of both),
/// for a batch key that only some files have, or that a single one lacks.
std::unique_ptr<CountsReader> open_inputs(const std::vector<std::filesystem::path>& files,
                                          const InputSettings& settings);

/// What `look` says of the reader of `files`, which is open in a process of its own meanwhile (run_apart).
std::string look_at_inputs(const std::vector<std::filesystem::path>& files, const InputSettings& settings,
                           const std::function<std::string(const CountsReader&)>& look);

}  // namespace masksc
