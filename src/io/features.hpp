// The features of a 10x matrix: which of them are the genes to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

struct Features {
  std::vector<std::string> names;
  std::vector<std::string> types;    // one a feature; empty where the input does not tell
  std::vector<std::string> genomes;  // the same
  std::vector<std::string> ids;      // the same
};

struct ChosenFeatures {
  std::vector<std::string> names;
  std::vector<std::string> ids;       // empty where the input does not tell
  std::vector<std::int32_t> gene_of;  // of each feature, -1 for one left out; empty: all are chosen
};

/// The features of the type and the genome that `settings` name; says on the log what is left out. Throws UserError
/// when there are none, or several genomes to choose from. `path` is for messages.
ChosenFeatures choose_features(const Features& features, const InputSettings& settings, const std::string& path);

/// Throws UserError for labels and layers, which a 10x input has not.
void refuse_labels_and_layers(const InputSettings& settings, const std::string& path);

}  // namespace masksc
