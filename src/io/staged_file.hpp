// A file being written under its staging name: removed unless it is published.
#pragma once

#include <filesystem>

#include "masksc/core/files.hpp"

namespace masksc {

class StagedFile {
 public:
  explicit StagedFile(std::filesystem::path target) : target_(std::move(target)), staged_(staging_path(target_)) {}
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile() {
    std::error_code ignored;
    if (!published_) std::filesystem::remove(staged_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return staged_; }
  void publish() {
    masksc::publish(staged_, target_);
    published_ = true;
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path staged_;
  bool published_ = false;
};

}  // namespace masksc
