// The trained model that a run leaves in DIR/model, taken up again for new cells.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/run/model_description.hpp"

namespace masksc {

struct SavedModel : ModelDescription {
  std::unique_ptr<MaskedAutoencoder> network;
};

/// Reads model.json and masked_autoencoder.h5 in `given`, or in model/ of a run's folder, on rank 0; every rank gets
/// the model. A collective. Throws UserError: not there, damaged, of a newer format.
SavedModel load_model(const std::filesystem::path& given, at::Device device, Collectives& ranks);

/// Which genes of a file the model knows.
struct GeneMatch {
  std::vector<std::int32_t> column;  // of each gene of the file: the model's column, -1 for genes it does not know
  std::int64_t known = 0;            // of the model's genes, found in the file
  bool by_ids = false;               // identifiers of the one were compared with names or identifiers of the other
};
/// By names or, where that finds more, by identifiers of the model, of the file (`gene_ids`, or empty) or of both.
/// Throws UserError when not one is found (shows the first names of both).
GeneMatch match_genes(const SavedModel& model, std::span<const std::string> gene_names,
                      std::span<const std::string> gene_ids);

/// The counts that `read` reads (all genes of the file) as the model was trained to see them: scaled to its total,
/// log-normalised, its genes in its order; genes that the file lacks are 0 everywhere. They are read when they are
/// needed. `rows`: this rank's. `batches`: of all cells, for models with batch_statistics; empty where all are of one.
/// A collective.
Expression express(const SavedModel& model, const GeneMatch& match, ReadCounts read, std::int64_t cells, RowRange rows,
                   const Labels& batches, Collectives& ranks);

}  // namespace masksc
