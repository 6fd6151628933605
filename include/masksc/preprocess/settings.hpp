// The options of preparation.
#pragma once

#include <string>

#include "masksc/core/options.hpp"
#include "masksc/preprocess/layout.hpp"

namespace masksc {

/// What --genes calls those that the file flags in var['highly_variable'].
constexpr const char* flagged_genes = "highly_variable";

enum class GeneOrder { file, variable, coexpression };

/// What the model sees of a gene: its log value (no), that standardised over the cells (yes), or the Pearson residual
/// of its normalised count (residuals). automatic is yes until the cells have been looked at, see
/// decide_standardization.
enum class Standardize { automatic, yes, no, residuals };

struct PreparationSettings {
  std::string matrix = "auto";  // or GxS
  Tokens tokens = Tokens::patches;
  std::string patch = "auto";  // or a number
  std::string genes;           // "" all, "highly_variable", or a file with one name a line
  GeneOrder gene_order = GeneOrder::file;
  Standardize standardize = Standardize::automatic;
  bool batch_statistics = false;  // standardise each gene within each batch of cells
};

void describe(OptionTable& table, PreparationSettings& settings);

/// Throws UserError for settings that cannot work with any data.
void validate(const PreparationSettings& settings);

}  // namespace masksc
