// The folder of a run's checkpoints: sealed files STAGE-NNNNNNNN.h5 by step, `latest` beside them, the newest ones
// kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/io/sealed_file.hpp"

namespace masksc {

/// What the sealed file of a checkpoint is.
constexpr const char* checkpoint_kind = "checkpoint";

/// Which checkpoints stay: the newest `last`, and of every `every` steps the first one saved (0: none).
struct Retention {
  std::int64_t last = 2;
  std::int64_t every = 0;
};

/// A checkpoint that was found good. Arrays are read on rank 0, where `seal` is.
struct Checkpoint {
  std::int64_t step = 0;
  Json header;
  std::optional<Seal> seal;
};

/// What a checkpoint belongs to: flat, name -> value ("--dim": "128"), in the order in which differences are told.
using CheckpointIdentity = Json;

class CheckpointFolder {
 public:
  /// Makes the folder; removes what an interrupted save left. `stage` begins the names ("step", "sequence"). A
  /// collective. Throws EnvironmentError on all ranks.
  CheckpointFolder(std::filesystem::path folder, std::string stage, CheckpointIdentity identity, Retention retention,
                   Collectives& ranks);

  /// Starts to save the state after `step` steps: `header` (on rank 0) and this rank's `arrays`. In the background, the
  /// caller goes on and calls `complete` once every rank has said `written`. A collective. Throws EnvironmentError on
  /// all ranks; checkpoints on disk stay as they are.
  void begin(std::int64_t step, Json header, std::vector<ArraySource> arrays, bool background);
  /// A save was begun and is not complete; the same on all ranks.
  [[nodiscard]] bool pending() const { return write_ != nullptr; }
  /// Whether this rank's part of the pending save is on disk (or failed).
  [[nodiscard]] bool written() const { return write_->written(); }
  /// Waits for all ranks; the checkpoint gets its name, then `latest` points to it, then older ones are deleted. A
  /// collective. Throws EnvironmentError on all ranks; checkpoints on disk stay as they are.
  void complete();

  /// Of the last save: how long this rank's bytes took to the disk, how many the file has.
  [[nodiscard]] double write_seconds() const { return write_seconds_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  /// Of the pending or last save.
  [[nodiscard]] std::int64_t step() const { return step_; }

  /// The newest good checkpoint of this stage; a damaged one is named in a warning and set aside, and the one before is
  /// taken. Nothing when there is none. A collective. Throws UserError, on all ranks, for one of a newer format, of
  /// other data or of another model: the first difference is named.
  std::optional<Checkpoint> load();
  /// The one at `path`: a file, or a folder of checkpoints, whose newest good one is taken. A collective. Throws
  /// UserError.
  Checkpoint load(const std::filesystem::path& path);

  /// Deletes this stage's checkpoints: the stage is done. A collective.
  void remove_all();

 private:
  [[nodiscard]] std::optional<Checkpoint> newest(const std::filesystem::path& folder, bool set_aside) const;
  [[nodiscard]] Checkpoint open(const std::filesystem::path& file) const;
  [[nodiscard]] std::optional<Checkpoint> share(std::optional<Checkpoint> found) const;
  void prune() const;

  std::filesystem::path folder_;
  std::string stage_;
  CheckpointIdentity identity_;
  Retention retention_;
  Collectives& ranks_;
  std::unique_ptr<SealedWrite> write_;
  std::int64_t step_ = 0;
  double write_seconds_ = 0;
  std::int64_t bytes_ = 0;
};

/// A checkpoint file by its name; step -1 for any other name.
struct CheckpointName {
  std::string stage;
  std::int64_t step = -1;
};
CheckpointName parse_checkpoint_name(const std::filesystem::path& file);

/// Files of `folder` named as checkpoints of `stage` ("" of any), oldest first.
std::vector<std::filesystem::path> checkpoint_files(const std::filesystem::path& folder, const std::string& stage);

/// The first name whose values differ, as "NAME is VALUE there and VALUE here"; "" when all agree.
std::string first_difference(const CheckpointIdentity& there, const CheckpointIdentity& here);

/// Throws UserError that names the first difference between what a checkpoint's header says and `identity`.
void check_identity(const std::filesystem::path& file, const Json& header, const CheckpointIdentity& identity);

/// Files that `retention` does not keep, of `steps` in ascending order: their indices.
std::vector<std::size_t> surplus(const std::vector<std::int64_t>& steps, Retention retention);

}  // namespace masksc
