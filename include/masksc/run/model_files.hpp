// The model/ folder: weights in sealed files, and model.json with all that embedding new cells needs.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "masksc/core/json.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/targets.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Stands in model.json. Version 1 knew no residuals, versions 1 and 2 no features but the tokens' mean.
inline constexpr const char* kModelFormat = "mask-sc model 3";
inline constexpr std::array<const char*, 3> kReadModelFormats = {"mask-sc model 1", "mask-sc model 2", kModelFormat};

/// Genes, scaling, matrix layout and normalisation of a run, as they stand in model.json.
Json describe_expression(const Expression& expression);

/// Writes model.json; `gene_ids`: identifiers of all genes of the file, or empty; `share`: share_of_counts. On one
/// process. Throws EnvironmentError.
void save_model_description(const std::filesystem::path& folder, const Expression& expression,
                            std::span<const std::string> gene_ids, double share, const RunOptions& options,
                            const AutoencoderShape& shape);

/// Weights and running statistics of a sequence encoder; `genes_hash` ties them to the genes they were trained on.
void save_sequence_encoder(const std::filesystem::path& file, const SequenceEncoder& encoder,
                           const std::string& genes_hash);
/// Fills `encoder` on all ranks from a file that rank 0 reads. A collective. Throws UserError when it does not fit.
void load_sequence_encoder(const std::filesystem::path& file, SequenceEncoder& encoder, const std::string& genes_hash,
                           Collectives& ranks);

/// Where in the grid of patches the tokens that hold genes are: AutoencoderShape::token_places.
std::vector<std::pair<std::int64_t, std::int64_t>> token_places(const MatrixLayout& layout);

/// Weights of the masked autoencoder and the statistics of its targets; beside it the weights alone as safetensors. On
/// one process.
void save_autoencoder(const std::filesystem::path& file, const MaskedAutoencoder& model, Targets& targets);

/// What the features of a cell are, as metrics tell it: features_from_tokens or features_from_components.
const char* features_from(const AutoencoderShape& shape);

/// Hash of the chosen genes, their places in the matrix and their scaling.
std::string genes_hash(const Expression& expression);

}  // namespace masksc
