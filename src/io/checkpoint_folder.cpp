#include "masksc/io/checkpoint_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/number_of.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

constexpr const char* latest = "latest";

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// `latest` points to the newest checkpoint; made anew beside and moved over the old one.
void point_latest(const fs::path& folder, const fs::path& file) {
  const fs::path link = folder / latest;
  const fs::path staged = staging_path(link);
  std::error_code error;
  fs::remove(staged, error);
  fs::create_symlink(file.filename(), staged, error);
  if (!error) fs::rename(staged, link, error);
  if (error) log::warning("cannot point '{}' to {}: {}", link.string(), file.filename().string(), error.message());
}

}  // namespace

CheckpointName parse_checkpoint_name(const fs::path& file) {
  const std::string stem = file.stem().string();
  const auto dash = stem.rfind('-');
  CheckpointName name;
  if (file.extension() != ".h5" || dash == std::string::npos || dash == 0) return name;
  const auto step = number_of<std::int64_t>(std::string_view(stem).substr(dash + 1));
  if (!step || *step < 0) return name;
  return {stem.substr(0, dash), *step};
}

std::vector<fs::path> checkpoint_files(const fs::path& folder, const std::string& stage) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const CheckpointName name = parse_checkpoint_name(entry.path());
    if (name.step >= 0 && (stage.empty() || name.stage == stage)) found.emplace_back(name.step, entry.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> files;
  for (auto& [step, path] : found) files.push_back(std::move(path));
  return files;
}

std::string first_difference(const CheckpointIdentity& there, const CheckpointIdentity& here) {
  for (const auto& [name, value] : here.items()) {
    if (!there.contains(name)) return fmt::format("{} is missing there and {} here", name, text_of(value));
    if (there.at(name) != value)
      return fmt::format("{} is {} there and {} here", name, text_of(there.at(name)), text_of(value));
  }
  for (const auto& [name, value] : there.items())
    if (!here.contains(name)) return fmt::format("{} is {} there and missing here", name, text_of(value));
  return "";
}

void check_identity(const fs::path& file, const Json& header, const CheckpointIdentity& identity) {
  const std::string difference = first_difference(header.at("identity"), identity);
  if (difference.empty()) return;
  throw UserError(
      fmt::format("checkpoint '{}' does not belong to this run: {}; use the same data and model, or another --output",
                  file.string(), difference));
}

std::vector<std::size_t> surplus(const std::vector<std::int64_t>& steps, Retention retention) {
  std::vector<std::size_t> gone;
  const std::size_t last = std::min(static_cast<std::size_t>(retention.last), steps.size());
  std::int64_t window = 0;  // of the checkpoint before
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::int64_t own = retention.every > 0 ? steps[i] / retention.every : 0;
    if (own == window && i + last < steps.size()) gone.push_back(i);
    window = std::max(window, own);
  }
  return gone;
}

CheckpointFolder::CheckpointFolder(fs::path folder, std::string stage, CheckpointIdentity identity, Retention retention,
                                   Collectives& ranks)
    : folder_(std::move(folder)),
      stage_(std::move(stage)),
      identity_(std::move(identity)),
      retention_(retention),
      ranks_(ranks) {
  on_root(ranks_, [&] {
    make_folder(folder_);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_))
      if (entry.path().extension() == ".partial") fs::remove(entry.path(), error);
  });
}

void CheckpointFolder::begin(std::int64_t step, Json header, std::vector<ArraySource> arrays, bool background) {
  ensure(!pending(), "one save at a time");
  Json whole = {{"stage", stage_}, {"step", step}, {"identity", identity_}};
  if (!header.is_null()) whole.update(header);
  write_ = std::make_unique<SealedWrite>(folder_ / fmt::format("{}-{:08}.h5", stage_, step), checkpoint_kind,
                                         std::move(whole), std::move(arrays), ranks_, background);
  step_ = step;
}

void CheckpointFolder::complete() {
  const std::unique_ptr<SealedWrite> write = std::move(write_);  // gone even when it fails
  write->finish();
  on_root(ranks_, [&] {
    point_latest(folder_, fmt::format("{}-{:08}.h5", stage_, step_));
    prune();
  });
  write_seconds_ = write->seconds();
  bytes_ = write->bytes();
}

void CheckpointFolder::prune() const {
  const std::vector<fs::path> files = checkpoint_files(folder_, stage_);
  std::vector<std::int64_t> steps;
  for (const fs::path& file : files) steps.push_back(parse_checkpoint_name(file).step);
  for (const std::size_t i : surplus(steps, retention_)) {
    std::error_code error;
    fs::remove(files[i], error);
    if (error) log::warning("cannot delete the old checkpoint '{}': {}", files[i].string(), error.message());
  }
}

Checkpoint CheckpointFolder::open(const fs::path& file) const {
  Seal seal = open_sealed(file, checkpoint_kind);
  try {
    const Json& header = seal.header;
    const auto step = header.at("step").get<std::int64_t>();
    const auto stage = header.at("stage").get<std::string>();
    const CheckpointName name = parse_checkpoint_name(fs::is_symlink(file) ? fs::read_symlink(file) : file);
    if (name.step >= 0 && (name.step != step || name.stage != stage))
      throw DamagedFile(
          fmt::format("'{}' is damaged: its content is step {} of stage '{}'", file.string(), step, stage));
    if (stage != stage_)
      throw UserError(fmt::format("checkpoint '{}' is of stage '{}', not of '{}'", file.string(), stage, stage_));
    check_identity(file, header, identity_);
    return {step, header, std::move(seal)};
  } catch (const Json::exception& e) {
    throw DamagedFile(
        fmt::format("'{}' is damaged: its header is not that of a checkpoint ({})", file.string(), e.what()));
  }
}

std::optional<Checkpoint> CheckpointFolder::newest(const fs::path& folder, bool set_aside) const {
  std::vector<fs::path> candidates = checkpoint_files(folder, stage_);
  for (; !candidates.empty(); candidates.pop_back()) {
    const fs::path& file = candidates.back();
    try {
      return open(file);
    } catch (const DamagedFile& e) {
      log::warning("{}; {}the one before is used", e.what(), set_aside ? "set aside, " : "");
      std::error_code error;
      if (set_aside) fs::rename(file, file.string() + ".damaged", error);
    }
  }
  return std::nullopt;
}

/// What rank 0 found, on all ranks (the seal stays on rank 0).
std::optional<Checkpoint> CheckpointFolder::share(std::optional<Checkpoint> found) const {
  const std::string header = broadcast_text(ranks_, found ? found->header.dump() : std::string());
  if (header.empty()) return std::nullopt;
  if (ranks_.is_root()) return found;
  Json parsed = parse_json(header);
  const auto step = parsed.at("step").get<std::int64_t>();
  return Checkpoint{step, std::move(parsed), std::nullopt};
}

std::optional<Checkpoint> CheckpointFolder::load() {
  std::optional<Checkpoint> found;
  on_root(ranks_, [&] { found = newest(folder_, /*set_aside=*/true); });
  return share(std::move(found));
}

Checkpoint CheckpointFolder::load(const fs::path& path) {
  std::optional<Checkpoint> found;
  on_root(ranks_, [&] {
    found = fs::is_directory(path) ? newest(path, /*set_aside=*/false) : open(path);
    if (!found)
      throw UserError(fmt::format("there is no good checkpoint of stage '{}' in '{}'", stage_, path.string()));
  });
  return *share(std::move(found));
}

void CheckpointFolder::remove_all() {
  on_root(ranks_, [&] {
    std::error_code error;
    for (const fs::path& file : checkpoint_files(folder_, stage_)) fs::remove(file, error);
    const fs::path link = folder_ / latest;
    if (fs::is_symlink(link) && !fs::exists(link)) fs::remove(link, error);
  });
}

}  // namespace masksc
