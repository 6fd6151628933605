#include "masksc/run/output_folder.hpp"

#include <fmt/format.h>

#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// Of a sweep or a comparison that has no tables yet: by a point that has ended.
FolderContent content_of_points(const fs::path& points) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(points, none)) {
    if (entry.path().extension() != ".json" || entry.path().filename().string().starts_with(".")) continue;
    const Json record = json_or_null(read_file(entry.path()));
    if (!record.is_object() || !record.value("identity", Json()).is_object()) continue;
    return record.at("identity").contains("method") ? FolderContent::comparison : FolderContent::sweep;
  }
  return FolderContent::none;
}

}  // namespace

FolderContent content_of(const fs::path& folder) {
  std::error_code none;
  const auto has = [&](const char* name) { return fs::exists(folder / name, none); };
  if (has("comparison.json")) return FolderContent::comparison;
  if (has("sweep.json")) return FolderContent::sweep;
  if (has("checkpoints/run.json") || has("model/model.json") || has("log.jsonl")) return FolderContent::run;
  if (has("metrics.json")) return FolderContent::embedding;
  return content_of_points(folder / "points");
}

const char* described(FolderContent content) {
  switch (content) {
    case FolderContent::run:
      return "a training run";
    case FolderContent::embedding:
      return "a result of masksc_embed";
    case FolderContent::sweep:
      return "a sweep";
    case FolderContent::comparison:
      return "a comparison";
    case FolderContent::none:
      break;
  }
  return "nothing of mask-sc";
}

void refuse_other_content(const fs::path& output, FolderContent mine) {
  const FolderContent found = content_of(output);
  if (found != FolderContent::none && found != mine)
    throw UserError(fmt::format("--output '{}' holds {}; choose another --output", output.string(), described(found)));
}

void refuse_replaced(const char* option, const fs::path& file, const fs::path& folder,
                     std::span<const char* const> names) {
  const fs::path needed = fs::weakly_canonical(file);
  for (const char* const name : names) {
    const fs::path gone = fs::weakly_canonical(folder / name);
    if (const fs::path within = needed.lexically_relative(gone); within.empty() || *within.begin() == "..") continue;
    throw UserError(
        fmt::format("--{} {} lies in what this run would replace, {}: give a copy elsewhere, or another --output",
                    option, file.string(), (folder / name).string()));
  }
}

bool make_output_folder(const fs::path& output) {
  std::error_code error;
  if (fs::is_symlink(output, error) && !fs::exists(output, error))
    throw UserError(
        fmt::format("--output '{}' is a link to '{}', which is not there: make that folder, or give another",
                    output.string(), fs::read_symlink(output, error).string()));
  return make_folder(output);
}

OutputLock::OutputLock(fs::path output, FolderContent mine, Hold hold) : output_(std::move(output)) {
  refuse_other_content(output_, mine);
  made_ = make_output_folder(output_);
  lock_.emplace(output_ / lock_name, fmt::format("--output '{}'", output_.string()), hold);
  refuse_other_content(output_, mine);  // another may just have ended
}

OutputLock::~OutputLock() {
  lock_.reset();
  std::error_code not_empty;
  if (made_) fs::remove(output_, not_empty);
}

}  // namespace masksc
