// The stage from counts to expression: filter, normalise, log, choose genes, standardise, lay out as a matrix.
// Works on each rank's own rows; every statistic has the same bits on any number of ranks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/options.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/layout.hpp"

namespace masksc {

enum class GeneOrder { file, variable, coexpression };

struct PreparationSettings {
  std::string matrix = "auto";  // or GxS
  Tokens tokens = Tokens::patches;
  std::string patch = "auto";  // or a number
  std::string genes;           // "" all, "highly_variable", or a file with one name a line
  GeneOrder gene_order = GeneOrder::file;
  bool standardize = true;
};

void describe(OptionTable& table, PreparationSettings& settings);

/// Throws UserError for settings that cannot work with any data.
void validate(const PreparationSettings& settings);

/// What the model sees of gene j in a cell with log-normalised value x:
/// clamp((x - mean[j]) * inverse_sd[j], -clip, clip). Without standardisation this is the identity.
struct GeneScaling {
  std::vector<float> mean;        // per column
  std::vector<float> inverse_sd;  // per column; 1 for genes without variance
  float clip = 10.0F;
  [[nodiscard]] float scaled(std::size_t column, float value) const {
    return std::clamp((value - mean[column]) * inverse_sd[column], -clip, clip);
  }
};

struct Expression {
  std::int64_t cells = 0;               // over all ranks
  RowRange rows;                        // of this rank
  CsrMatrix values;                     // [local cells, chosen genes], log-normalised, columns in matrix order
  double target_total = 0;              // counts that every cell was scaled to (the median total)
  GeneScaling scaling;                  // per column of values
  std::vector<std::int64_t> genes;      // per column: index of the gene in the file
  std::vector<std::string> gene_names;  // per column
  MatrixLayout layout;
};

/// `counts`: this rank's `rows` of `cells`, with all genes of the file; `highly_variable`: the file's own choice of
/// genes, may be empty. A collective. Throws UserError when settings and data do not fit.
Expression prepare_expression(CsrMatrix counts, std::int64_t cells, RowRange rows,
                              std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                              const PreparationSettings& settings, Collectives& ranks);

}  // namespace masksc
