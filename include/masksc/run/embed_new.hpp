// New cells through a model that is trained: embedded, clustered and, with a reference, labelled.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/cluster/choose.hpp"
#include "masksc/core/json.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/report/settings.hpp"
#include "masksc/run/pipeline.hpp"

namespace masksc {

struct EmbedOptions {
  std::string model;                // DIR of a finished run, or its model/
  std::vector<std::string> inputs;  // files of counts; see listed_inputs
  std::string output;               // folder of the results
  std::string reference;            // result.h5ad of cells embedded by the same model; "" transfers no labels
  bool overwrite = false;
  InputSettings counts;
  bool keep_input = false;                       // as RunOptions'
  std::string reference_labels = clusters_name;  // column of the reference's obs
  std::int64_t reference_neighbours = 15;
  ClusterSettings cluster;
  ReportSettings report;
  std::int64_t seed = 0;  // of K-means and maps
  std::string device = "auto";
  std::int64_t threads = 0;
  bool quiet = false;
};

OptionTable describe_embed(EmbedOptions& options);

/// Writes result.h5ad, metrics.json, config.ini and report.html to --output: as a run's, and with a reference obs
/// columns masksc_label, masksc_confidence, masksc_distance and masksc_novel. Returns the metrics on rank 0. A
/// collective. Throws UserError (model, genes or reference that do not fit, an --output that is taken) on all ranks.
Json embed_new_cells(const EmbedOptions& options, const RunPlace& place);

}  // namespace masksc
