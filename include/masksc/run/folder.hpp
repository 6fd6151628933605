// The folder of a run: which run it holds, how far that got, and whether this one may go on in it.
//
//   result.h5ad metrics.json log.jsonl config.ini   what users read; metrics.json comes last
//   model/         weights, and all that embedding new cells needs
//   checkpoints/   what a stopped run goes on from, and run.json: which data and settings that belongs to
//   ranks/         the heartbeat of each rank
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "masksc/core/folder_lock.hpp"
#include "masksc/core/json.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

// Files of a run under way, which it removes at its end: the prepared counts, and what --keep-input keeps. Hidden, so
// that they are not a user's.
constexpr const char* prepared_name = ".prepared.h5";
constexpr const char* kept_name = ".kept.h5";

/// What identifies the input of a run.
struct InputIdentity {
  std::vector<std::string> paths;
  std::int64_t bytes = 0;
  std::int64_t modified = 0;     // seconds since the epoch; of several files the sum, as are the bytes
  std::string fingerprint = {};  // of the prepared content

  [[nodiscard]] bool same_file(const InputIdentity& other) const {
    return bytes == other.bytes && modified == other.modified && paths == other.paths;
  }
};

enum class FolderState {
  empty,        // nothing of ours
  interrupted,  // a run that can go on
  finished,     // a run with its metrics
};

class RunFolder {
 public:
  /// Looks at the folder; changes nothing. A collective. Throws UserError when the folder holds something else, or a
  /// run whose settings differ from these in a way that changes the result (the first difference is named), unless
  /// --overwrite or --resume never. With those the run is replaced, unless this is the Slurm job that began it,
  /// requeued. Throws UserError, too, when what is replaced has files that this run needs.
  RunFolder(const RunOptions& options, Collectives& ranks);

  [[nodiscard]] FolderState state() const { return state_; }
  [[nodiscard]] const InputIdentity& recorded_input() const { return recorded_; }
  /// What --standardize came to in the run that goes on; "" where it is not known, and where no run goes on.
  [[nodiscard]] const std::string& recorded_standardized() const { return standardized_; }

  /// When the folder's run has other data it is replaced, if --overwrite, or this throws UserError. Not a collective:
  /// equal on all ranks.
  void check_data(const std::string& fingerprint);
  /// Makes the folder if it is not there (for the prepared file and the heartbeats), keeps others from it, and looks
  /// again. A collective. Throws UserError while another run uses it.
  void make();
  /// The run starts: folder made, an overwritten run removed, config.ini and run.json written, the latter with what
  /// --standardize came to. A collective.
  void begin(const InputIdentity& input, const std::string& configuration, const std::string& standardized);
  /// Removes what a run left that never began: its prepared file, its heartbeats, and the folder if it made it; others
  /// may have that then. On rank 0.
  void abandon() noexcept;

  /// A JSON file of the folder ("metrics.json"). Throws UserError when it is damaged.
  [[nodiscard]] Json read_record(const char* record) const;
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return root_ / name; }
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  void look();
  void find();
  void find_run();
  void start_anew();
  void check_replaced() const;
  void share();  // what rank 0 has found

  const RunOptions& options_;
  Collectives& ranks_;
  std::filesystem::path root_;
  FolderState state_ = FolderState::empty;
  InputIdentity recorded_;
  std::string standardized_;
  std::string labels_;
  std::string sequence_model_;
  bool replace_ = false;  // what is there goes when the run begins
  std::string note_;      // of what a run lacks that goes on; "" for none
  bool made_ = false;
  bool begun_ = false;
  std::unique_ptr<FolderLock> lock_;  // on rank 0, once made
};

/// Size, time and absolute paths of the files that --input names; the fingerprint is left empty. Throws UserError when
/// one is not there.
InputIdentity identify(const std::vector<std::string>& inputs);

/// How records name files: one by its path, several by a list of them.
Json one_or_all(const std::vector<std::string>& paths);

}  // namespace masksc
