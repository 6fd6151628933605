// Which program's results a folder holds: each has folders of its own, and keeps others from them while it works.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "masksc/core/folder_lock.hpp"

namespace masksc {

enum class FolderContent {
  none,        // nothing that is known, or no folder
  run,         // of masksc_train
  embedding,   // of masksc_embed
  sweep,       // of masksc_sweep
  comparison,  // of masksc_compare
};

/// By the files that the programs write.
FolderContent content_of(const std::filesystem::path& folder);

/// "a training run", "a sweep".
const char* described(FolderContent content);

/// Throws UserError where the folder that --output names holds results of another program than `mine`: one page, one
/// set of files a folder.
void refuse_other_content(const std::filesystem::path& output, FolderContent mine);

/// Makes the folder that --output names where it is not there, and keeps others from it as long as what is returned
/// lives. On one rank. Throws as refuse_other_content and FolderLock.
std::unique_ptr<FolderLock> hold_output(const std::filesystem::path& output, FolderContent mine,
                                        Hold hold = Hold::alone);

}  // namespace masksc
