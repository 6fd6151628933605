// What a checkpoint belongs to, and what it says of its run.
#pragma once

#include <string>

#include "masksc/io/checkpoint_folder.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Stage 2, in the names of its checkpoints.
constexpr const char* training_stage = "step";

/// What every stage's files are tied to.
struct RunIdentity {
  std::string data;   // fingerprint of the prepared counts
  std::string genes;  // hash of the chosen genes, their places and scaling
  Shuffle shuffle = {};
};

/// Of stage 1's checkpoints.
CheckpointIdentity sequence_identity(const RunOptions& options, const RunIdentity& run);
/// Of stage 2's: `sequence_encoders` is their hash.
CheckpointIdentity training_identity(const RunOptions& options, const RunIdentity& run,
                                     const std::string& sequence_encoders);
/// That the checkpoint of --resume PATH (of a folder, the newest) is one of this run, as far as that is known before
/// stage 1, and without reading it whole. Throws UserError.
void check_resumed(const RunOptions& options, const RunIdentity& run);
/// Of the clustering: `embedding` is its hash.
Json clustering_identity(const RunOptions& options, const std::string& embedding, std::int64_t label_categories);

/// What a checkpoint says of the run besides its state: configuration, seed, ranks, versions of the libraries.
Json describe_for_checkpoints(const RunOptions& options, const std::string& configuration, int ranks);

}  // namespace masksc
