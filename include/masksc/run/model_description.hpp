// model.json in the model/ folder: all but the weights that embedding new cells needs.
#pragma once

#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Stands in model.json. Version 1 knew no residuals, versions 1 and 2 no features but the tokens' mean.
inline constexpr const char* kModelFormat = "mask-sc model 3";
inline constexpr std::array<const char*, 3> kReadModelFormats = {"mask-sc model 1", "mask-sc model 2", kModelFormat};

struct ModelDescription {
  Expression expression;              // genes, target total, scaling and layout; no cells
  std::vector<std::string> gene_ids;  // of its genes, beside their names; empty where its data had none
  double share_of_counts = 0;         // that its genes had in its data; 0: unknown (older models)
  bool batch_statistics = false;    // trained with --batch-statistics: new cells are standardised within their batches
  bool predicted_features = false;  // AutoencoderShape's
  ModelSettings model;
  std::string version;  // of the mask-sc that trained it
};

/// Writes model.json; `gene_ids`: identifiers of all genes of the file, or empty; `share`: share_of_counts. On one
/// process. Throws EnvironmentError.
void save_model_description(const std::filesystem::path& folder, const Expression& expression,
                            std::span<const std::string> gene_ids, double share, const RunOptions& options,
                            const AutoencoderShape& shape);

/// What `text`, the content of a model.json that messages call `subject`, says. Throws UserError: no JSON, of a newer
/// format, numbers that do not fit each other.
ModelDescription read_model_description(std::string_view text, const std::string& subject);

/// Hash of the chosen genes, their places in the matrix and their scaling.
std::string genes_hash(const Expression& expression);

}  // namespace masksc
