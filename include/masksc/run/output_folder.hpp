// Which program's results a folder holds: each has folders of its own, and keeps others from them while it works.
#pragma once

#include <filesystem>
#include <optional>
#include <span>

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

/// Throws UserError when `file`, which `option` names, is one of the `names` in `folder` (or within it): they are about
/// to be replaced.
void refuse_replaced(const char* option, const std::filesystem::path& file, const std::filesystem::path& folder,
                     std::span<const char* const> names);

/// Makes the folder that --output names; false where it was there. Throws UserError where a link leads nowhere,
/// EnvironmentError when the disk refuses.
bool make_output_folder(const std::filesystem::path& output);

/// Keeps others from the folder that --output names, which it makes where it is not there; one that it made and that is
/// empty at the end goes.
class OutputLock {
 public:
  /// On one rank. Throws as refuse_other_content, make_output_folder and FolderLock.
  OutputLock(std::filesystem::path output, FolderContent mine, Hold hold = Hold::alone);
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;
  ~OutputLock();

 private:
  std::filesystem::path output_;
  bool made_ = false;
  std::optional<FolderLock> lock_;
};

}  // namespace masksc
