#include "masksc/run/folder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/version.hpp"
#include "masksc/dist/heartbeat_record.hpp"
#include "masksc/dist/requeue.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/run/output_folder.hpp"
#include "same_run.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// In the order in which they go: what is half gone is no finished run, and known as a run by its log.
constexpr std::array<const char*, 8> replaced = {"metrics.json", "result.h5ad", "report.html", "tensorboard",
                                                 "model",        "checkpoints", "config.ini",  "log.jsonl"};

/// Whether a folder, which may not be there, holds nothing but files of these names.
bool holds_only(const fs::path& folder, std::initializer_list<fs::path> names) {
  std::error_code none;
  return std::ranges::all_of(fs::directory_iterator(folder, none), [&](const fs::directory_entry& entry) {
    return std::ranges::find(names, entry.path().filename()) != names.end();
  });
}

/// Anything but what a run has left that ended as it began: what it has read of its input, its heartbeats, and the
/// records that `begin` writes.
bool holds_other_files(const fs::path& folder) {
  const fs::path ranks = folder / "ranks";
  return !holds_only(folder, {prepared_name, staging_path(prepared_name), kept_name, staging_path(kept_name), lock_name,
                              staging_path("config.ini"), "checkpoints", "model", "ranks"}) ||
         !holds_only(folder / "checkpoints", {"run.json", staging_path("run.json")}) ||
         !holds_only(folder / "model", {}) || (fs::exists(ranks) && !holds_only_heartbeats(ranks));
}

/// Whether nothing is left but what a run leaves that is killed while it is replaced: its log, the last to go, and
/// maybe some of its checkpoints.
bool is_half_gone(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "checkpoints", none)) {
    const std::string ending = entry.path().extension().string();
    if (ending != ".h5" && ending != ".json" && entry.path().filename() != "latest") return false;
  }
  return fs::exists(folder / "log.jsonl", none) && std::ranges::none_of(replaced, [&](const std::string& name) {
           return name != "checkpoints" && name != "config.ini" && name != "log.jsonl" &&
                  fs::exists(folder / name, none);
         });
}

/// Whether a run can go on from some checkpoint.
bool has_checkpoint(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.path().extension() == ".h5" && entry.is_regular_file(none)) return true;
  return false;
}

/// Whether HDF5 opens the file; `note` tells where one that is there can't be.
bool is_readable(const fs::path& file, std::string& note) {
  if (!fs::exists(file)) return false;
  try {
    static_cast<void>(ArrayFile::open(file));
    return true;
  } catch (const UserError& e) {
    note = fmt::format("{}; it is made again", e.what());
    return false;
  }
}

/// Those of --profile, a rank each.
void remove_traces(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("trace-") && name.ends_with(".json")) fs::remove(entry.path());
  }
}

std::string absolute_text(const std::string& path) { return path.empty() ? path : full_path(path).string(); }

std::string quoted(const fs::path& path) { return fmt::format("'{}'", path.string()); }

/// Adds to the error of a damaged record what to do.
template <typename Work>
decltype(auto) or_start_over(const Work& work) {
  try {
    return work();
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}; {}", e.what(), start_over));
  }
}

}  // namespace

InputIdentity identify(const std::vector<std::string>& inputs) {
  InputIdentity identity;
  for (const fs::path& input : listed_inputs(inputs)) {
    identity.paths.push_back(full_path(input).string());
    for (const fs::path& file : input_files(input)) {
      struct stat status {};
      if (::stat(file.c_str(), &status) != 0)
        throw UserError(fmt::format("cannot read --input '{}': {}", file.string(), std::strerror(errno)));
      identity.bytes += static_cast<std::int64_t>(status.st_size);
      identity.modified += static_cast<std::int64_t>(status.st_mtime);
    }
  }
  return identity;
}

Json one_or_all(const std::vector<std::string>& paths) { return paths.size() == 1 ? Json(paths.front()) : Json(paths); }

RunFolder::RunFolder(const RunOptions& options, Collectives& ranks)
    : options_(options), ranks_(ranks), root_(options.output) {
  on_root(ranks_, [&] { look(); });
  share();
}

void RunFolder::share() {
  auto state = static_cast<std::int32_t>(state_);
  ranks_.broadcast(std::span(&state, 1));
  state_ = static_cast<FolderState>(state);
  recorded_.fingerprint = broadcast_text(ranks_, recorded_.fingerprint);
  standardized_ = broadcast_text(ranks_, standardized_);
}

Json RunFolder::read_record(const char* record) const {
  return or_start_over([&] { return read_json_file(path(record)); });
}

void RunFolder::look() {
  find();
  if (replace_) check_replaced();
}

void RunFolder::start_anew() {
  state_ = FolderState::empty;
  recorded_ = {};
  standardized_.clear();
  note_.clear();
  replace_ = true;
}

/// That nothing is replaced that this run reads.
void RunFolder::check_replaced() const {
  for (const fs::path& input : listed_inputs(options_.inputs)) refuse_replaced("input", input, root_, replaced);
  if (!options_.sequence.model.empty()) refuse_replaced("sequence-model", options_.sequence.model, root_, replaced);
  if (const std::string given = options_.run.resumed_path(); !given.empty())
    refuse_replaced("resume", given, root_, replaced);
}

void RunFolder::find() {
  state_ = FolderState::empty;
  recorded_ = {};
  standardized_.clear();
  replace_ = false;
  note_.clear();
  if (!fs::exists(root_)) return;
  if (!fs::is_directory(root_)) throw UserError(fmt::format("--output '{}' is not a folder", root_.string()));
  const FolderContent content = content_of(root_);
  if (content == FolderContent::sweep || content == FolderContent::comparison)
    refuse_other_content(root_, FolderContent::run);
  const auto has = [&](const char* name) { return fs::exists(path(name)); };
  for (const char* name : {"config.ini", "checkpoints/run.json"}) {
    if (has(name)) continue;
    const bool half_gone = options_.run.resume == "never" && is_half_gone(root_);
    replace_ = options_.overwrite || half_gone;
    if (replace_ || !holds_other_files(root_)) return;
    throw UserError(fmt::format("--output '{}' holds {}; {}", root_.string(),
                                content == FolderContent::run
                                    ? fmt::format("a run without its {}, so it can't go on", name)
                                : content == FolderContent::none ? std::string("files that are not a run of mask-sc")
                                                                 : described(content),
                                start_over));
  }
  try {
    find_run();
  } catch (const UserError&) {
    if (!options_.overwrite) throw;
    start_anew();  // whatever is wrong with it
  }
}

void RunFolder::find_run() {
  const Json record = read_record("checkpoints/run.json");
  const bool requeued = or_start_over(
      [&] { return read_json(quoted(path("checkpoints/run.json")), [&] { return is_requeued(record); }); });
  if (options_.overwrite && !options_.keep_same && !requeued) {
    start_anew();
    return;
  }
  or_start_over([&] {
    read_json(quoted(path("checkpoints/run.json")), [&] {
      recorded_ = {texts_of(record.at("input").value("path", Json(""))),
                   record.at("input").value("bytes", std::int64_t{0}),
                   record.at("input").value("modified", std::int64_t{0}), record.at("input").value("fingerprint", "")};
      standardized_ = record.value("standardized", "");
      labels_ = record.value("labels", "");
      sequence_model_ = record.value("sequence_model", "");
    });
  });
  state_ = FolderState::interrupted;
  const bool was_finished = fs::exists(path("metrics.json"));
  if (was_finished && !has_checkpoint(path("checkpoints")))
    note_ = fmt::format("{} holds no checkpoint: the training begins anew", quoted(path("checkpoints")));
  // A run whose result or model was deleted makes them again.
  if (was_finished && is_readable(path("result.h5ad"), note_) && fs::exists(path("model/model.json"))) {
    const Json metrics = read_record("metrics.json");
    or_start_over([&] {
      read_json(quoted(path("metrics.json")), [&] {
        if (metrics.value("epochs", std::int64_t{0}) == options_.train.epochs &&
            metrics.value("max_steps", std::int64_t{0}) == options_.train.max_steps)
          state_ = FolderState::finished;
      });
    });
  }
  if (state_ == FolderState::interrupted && options_.run.resume == "never" && !requeued) {
    replace_ = true;
    state_ = FolderState::empty;
    standardized_.clear();
    return;
  }
  refuse_other_settings(root_, options_, {labels_, sequence_model_});
}

void RunFolder::check_data(const std::string& fingerprint) {
  if (recorded_.fingerprint.empty() || recorded_.fingerprint == fingerprint) return;
  if (options_.overwrite) {
    start_anew();
    check_replaced();
    return;
  }
  throw UserError(fmt::format("--output '{}' holds a run on other data ('{}'); {}", root_.string(),
                              fmt::join(recorded_.paths, "', '"), start_over));
}

void RunFolder::begin(const InputIdentity& input, const std::string& configuration, const std::string& standardized) {
  on_root(ranks_, [&] {
    if (!note_.empty()) log::warning("{}", note_);
    if (replace_) {
      for (const char* name : replaced) fs::remove_all(path(name));
      remove_traces(root_);
    }
    make_folder(path("checkpoints"));
    make_folder(path("model"));
    Json record = {{"input",
                    {{"path", one_or_all(input.paths)},
                     {"bytes", input.bytes},
                     {"modified", input.modified},
                     {"fingerprint", input.fingerprint}}},
                   {"standardized", standardized},
                   {"labels", options_.counts.labels},
                   {"sequence_model", options_.sequence.model},
                   {"sequence_model_path", absolute_text(options_.sequence.model)},
                   {"version", version_and_commit()}};
    if (Json slurm = slurm_start(); !slurm.is_null()) record["slurm"] = std::move(slurm);
    write_file(path("checkpoints/run.json"), record.dump(2) + "\n");
    write_file(path("config.ini"), configuration);
  });
  begun_ = true;
}

void RunFolder::make() {
  on_root(ranks_, [&] {
    made_ = make_output_folder(root_);
    lock_ = std::make_unique<FolderLock>(path(lock_name), fmt::format("--output '{}'", root_.string()));
    look();  // the run that had it may just have ended
  });
  share();
}

void RunFolder::abandon() noexcept {
  if (begun_ || state_ != FolderState::empty || !lock_) return;
  std::error_code ignored;
  for (const char* name : {prepared_name, kept_name}) fs::remove(path(name), ignored);
  remove_heartbeats(path("ranks"));
  lock_.reset();
  if (made_) fs::remove(root_, ignored);  // unless another run has made something there
}

}  // namespace masksc
