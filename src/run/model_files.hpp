// Weights in the model/ folder: sealed files, and safetensors for others.
#pragma once

#include <filesystem>
#include <string>

#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/targets.hpp"

namespace masksc {

/// Weights and running statistics of a sequence encoder; `genes_hash` ties them to the genes they were trained on.
void save_sequence_encoder(const std::filesystem::path& file, const SequenceEncoder& encoder,
                           const std::string& genes_hash);
/// Fills `encoder` on all ranks from a file that rank 0 reads. A collective. Throws UserError when it does not fit.
void load_sequence_encoder(const std::filesystem::path& file, SequenceEncoder& encoder, const std::string& genes_hash,
                           Collectives& ranks);

/// Weights of the masked autoencoder and the statistics of its targets; beside it the weights alone as safetensors. On
/// one process.
void save_autoencoder(const std::filesystem::path& file, const MaskedAutoencoder& model, Targets& targets);

/// What the features of a cell are, as metrics tell it: features_from_tokens or features_from_components.
const char* features_from(const AutoencoderShape& shape);

}  // namespace masksc
