// Checkpoints of stage 2: weights and optimizer state by parameter name, unsharded, in one file that appears whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/model/parameters.hpp"
#include "masksc/train/engine.hpp"

namespace masksc {

/// The folder of a run's checkpoints: step-NNNNNNNN.h5, the newest ones kept.
class CheckpointFolder {
 public:
  /// Removes what an interrupted save left. `fingerprint` names the data and settings a checkpoint belongs to.
  CheckpointFolder(std::filesystem::path folder, std::string fingerprint, std::int64_t keep_last, Collectives& ranks);

  /// Rank 0 writes weights and state, all ranks wait until it is on disk. Older ones are deleted after that. A
  /// collective. Throws EnvironmentError on all ranks; checkpoints on disk stay as they are.
  void save(const FlatParameters& parameters, const TrainState& state);

  /// The newest valid checkpoint (a damaged one is named in a warning and set aside), or the one at `path`: the weights
  /// on all ranks, its state with moments on rank 0; nothing when there is none. A collective. Throws UserError for one
  /// that does not fit.
  std::optional<TrainState> load(FlatParameters& parameters,
                                 const std::optional<std::filesystem::path>& path = std::nullopt);

  /// Seconds that the last save took on rank 0, the same on all ranks.
  [[nodiscard]] double last_save_seconds() const { return last_save_seconds_; }

 private:
  [[nodiscard]] std::vector<std::filesystem::path> files() const;  // oldest first

  std::filesystem::path folder_;
  std::string fingerprint_;
  std::int64_t keep_last_;
  Collectives& ranks_;
  double last_save_seconds_ = 0;
};

}  // namespace masksc
