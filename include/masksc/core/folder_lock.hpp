// One program at a time writes to a folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "masksc/core/descriptor.hpp"

namespace masksc {

/// How a folder is held: alone, or together with others that share it.
enum class Hold { alone, shared };

/// A lock file (flock), held until the end of its owner, however that ends; the file goes with its last owner. Where
/// the file system knows no locks nothing is locked.
class FolderLock {
 public:
  /// `file`: "DIR/.lock"; its folder is made where it is not there. `what` begins the message: "--output 'DIR'". Throws
  /// UserError, with host and process, where another still holds it after `patience` (a run that was killed may take a
  /// moment to end), EnvironmentError when the file can't be made.
  FolderLock(std::filesystem::path file, const std::string& what, Hold hold = Hold::alone,
             std::chrono::milliseconds patience = std::chrono::seconds(5));
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  std::filesystem::path path_;
  Descriptor file_;
};

/// The lock of an output folder, in that folder.
constexpr const char* lock_name = ".lock";

}  // namespace masksc
