// metrics.json: what a finished run says of itself.
#pragma once

#include <string>

#include "masksc/cluster/outcome.hpp"
#include "masksc/core/json.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/targets.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/stages.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {

/// What metrics.json of a run and of masksc_embed have in common: scores, cells, batches, hashes, version. On rank 0;
/// elsewhere without batch_nmi.
Json common_metrics(const RunInput& input, const ClusterOutcome& clusters, const AutoencoderShape& shape,
                    const std::string& weights_hash, const std::string& embedding_hash, const Collectives& ranks);

/// What the stages of a run have made.
struct RunParts {
  const RunInput& input;
  const Targets& targets;
  const MaskedAutoencoder& model;
  const TrainOutcome& trained;
  const ClusterOutcome& clusters;
  const std::string& embedding_hash;
  Json seconds;  // of each stage
};

/// As the README's table of files describes it. In "training": seconds by part, hidden_communication; tflops: of a
/// rank, by the formula of --plan (flop_per_cell) over these seconds, which leave saves and the start out; device: of
/// rank 0, and fraction_of_peak: of its dense peak at the precision of the run, both null where they are not known. A
/// collective.
Json run_metrics(const RunOptions& options, const RunParts& parts, const TrainContext& context);

}  // namespace masksc
