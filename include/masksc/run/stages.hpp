// The stages of a run, one function each: what goes in, what comes out, what is logged.
#pragma once

#include <memory>
#include <string>

#include "masksc/cluster/outcome.hpp"
#include "masksc/core/types.hpp"
#include "masksc/embed/components.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/targets.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/run/folder.hpp"
#include "masksc/run/identity.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/place.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {

/// The input as the ranks see it. What is prepared of it comes from prepare_input, the components from
/// decide_standardization.
struct RunInput {
  std::unique_ptr<PreparedFile> file;
  InputIdentity identity;
  Expression expression;
  CellComponents components;
  Shuffle shuffle;                    // of the cells of an epoch
  Labels labels;                      // of all cells, on every rank; empty without --labels
  std::int64_t label_categories = 0;  // categories that occur
  Labels batches;                     // of all cells, on every rank; empty where none is known
  std::vector<std::string> warnings;  // of reading; those of rank 0 are all
  std::filesystem::path kept;         // all else that the input holds, with --keep-input; on rank 0
};

/// Reads counts of the prepared file at `path`, each rank for itself and when it needs them. A collective.
ReadCounts reader_of(const std::filesystem::path& path, Collectives& ranks);
/// Reads labels and batches of input.file, which lies at `path`, and warns of what users should know of them
/// (note_labels, check_batches). `batch_statistics`: genes are standardised within the batches. A collective. Throws
/// UserError where they are not those that `settings` name, or can't be types or batches.
void annotate(RunInput& input, const std::filesystem::path& path, const InputSettings& settings, bool batch_statistics,
              bool number_of_clusters, Collectives& ranks);

/// This rank's rows of `cells`. Throws UserError when there are more ranks than cells.
RowRange own_rows(std::int64_t cells, const Collectives& ranks);

/// Opens the prepared file, or makes it from --input (rank 0, streamed), and prepares the expression. A collective.
RunInput prepare_input(const RunOptions& options, RunFolder& folder, const RunPlace& place);

/// What the stages of a run have in common, once its input is there.
struct RunUnderWay {
  const RunOptions& options;
  const RunInput& input;
  const RunFolder& folder;
  RunIdentity identity;
  Json description;  // for its checkpoints
  TrainContext& context;
};

/// The frozen sequence encoders that the targets need.
struct SequenceEncoders {
  std::shared_ptr<SequenceEncoder> whole;
  std::shared_ptr<SequenceEncoder> per_patch;
  [[nodiscard]] std::string hash() const;
};
/// Those of --sequence-model; none without it. Throws UserError when they are not there, damaged, or of other genes:
/// before the run begins. A collective.
SequenceEncoders given_sequence_encoders(const RunOptions& options, const Expression& expression, at::Device device,
                                         Collectives& ranks);
/// Stage 1: the encoders of the interrupted run that this one continues, else the given ones, else trained, from the
/// newest checkpoint on; saved to model/. A collective.
SequenceEncoders sequence_stage(const RunUnderWay& run, SequenceEncoders given);

/// The targets of stage 2, standardised over all cells. A collective.
Targets target_stage(const RunUnderWay& run, const SequenceEncoders& encoders);

/// Stage 2, from the newest checkpoint on; `encoders_hash` is that of the frozen encoders. A collective.
TrainOutcome train_stage(const RunUnderWay& run, const Targets& targets, const std::string& encoders_hash,
                         MaskedAutoencoder& model);

/// Stage 3a: the features of this rank's cells; those that an interrupted run has saved are taken. A collective.
DenseMatrix embed_stage(const RunUnderWay& run, const MaskedAutoencoder& model);

/// Stage 3b: clusters and scores; restarts that an interrupted run has done are taken (of those in the embedding: a
/// stopped search in components, of `predicts_components`, see CellFeatures, begins anew). A collective.
ClusterOutcome cluster_stage(const RunUnderWay& run, const DenseMatrix& embedding, bool predicts_components,
                             const std::string& embedding_hash);

}  // namespace masksc
