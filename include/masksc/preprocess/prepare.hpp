// The stage from counts to expression: filter, normalise, log, choose genes, standardise, lay out as a matrix.
// Works on each rank's own rows; every statistic has the same bits on any number of ranks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/options.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/layout.hpp"
#include "masksc/preprocess/moments.hpp"

namespace masksc {

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

/// What the model sees of gene j in a cell of batch b with log-normalised value x:
/// clamp((v - mean[b, j]) * inverse_sd[b, j], -clip, clip) with v = x or, where `counts`, the normalised count
/// exp(x) - 1. Without standardisation this is the identity.
struct GeneScaling {
  std::vector<float> mean;        // [batches, columns]
  std::vector<float> inverse_sd;  // [batches, columns]; 1 for genes without variance
  float clip = 10.0F;
  std::int64_t batches = 1;  // more only with --batch-statistics
  bool counts = false;       // of normalised counts
  [[nodiscard]] std::size_t columns() const { return mean.size() / static_cast<std::size_t>(batches); }
  [[nodiscard]] float scaled(std::size_t column, float value, std::int32_t batch = 0) const {
    const std::size_t at = static_cast<std::size_t>(batch) * columns() + column;
    return std::clamp(((counts ? std::expm1(value) : value) - mean[at]) * inverse_sd[at], -clip, clip);
  }
};

/// Counts of any rows of the input, all genes. Called by any thread, and no collective.
using ReadCounts = std::function<CsrMatrix(RowRange)>;

struct Expression {
  std::int64_t cells = 0;               // over all ranks
  RowRange rows;                        // of this rank
  CsrMatrix values;                     // [local cells, chosen genes], log-normalised, columns in matrix order
  ReadCounts read;                      // reads such rows of any cells; where there is one, values has no rows
  double target_total = 0;              // counts that every cell was scaled to (the median total)
  GeneScaling scaling;                  // per column of values
  std::vector<std::int64_t> genes;      // per column: index of the gene in the file
  std::vector<std::string> gene_names;  // per column
  MatrixLayout layout;
  std::vector<std::int32_t> batch_of_cell;  // [cells] of all ranks, with --batch-statistics; else empty: one batch

  [[nodiscard]] bool streams() const { return static_cast<bool>(read); }
  [[nodiscard]] std::int32_t batch(std::int64_t cell) const {
    return batch_of_cell.empty() ? 0 : batch_of_cell[static_cast<std::size_t>(cell)];
  }
};

/// Rows of this rank's part of an expression, wherever they are.
class ExpressionRows {
 public:
  ExpressionRows(const Expression& expression, RowRange rows);
  ExpressionRows(const ExpressionRows&) = delete;
  ExpressionRows& operator=(const ExpressionRows&) = delete;
  [[nodiscard]] std::span<const std::int32_t> indices(std::int64_t cell) const {
    return matrix_->row_indices(cell - first_);
  }
  [[nodiscard]] std::span<const float> values(std::int64_t cell) const { return matrix_->row_values(cell - first_); }

 private:
  CsrMatrix read_;
  const CsrMatrix* matrix_;
  std::int64_t first_;
};

/// Sums over the cells of this rank, those of each of `batches` apart (expression.batch_of_cell; empty: all are of
/// one). A collective.
MomentSums sums_of(MomentSums::Of of, const Expression& expression, std::int64_t batches, Collectives& ranks);

/// What standardises each gene: over all cells or, with batches, over the cells of each. `sums`: those of the log
/// values, group by group. A collective.
GeneScaling standardisation(MomentSums& sums, std::int64_t batches, Collectives& ranks);

/// What makes Pearson residuals of normalised counts: a count of mean m is expected to vary by m + m^2 / 100, as a
/// negative binomial one does (Lause, Berens and Kobak, Genome Biology 2021, equation 3, with every cell at the median
/// total). Differences that counting alone makes then have variance 1 in every gene, so that rare and frequent genes
/// say as much as they know; the log of small counts distorts them. `sums`: those of normalised counts. A collective.
GeneScaling residual_scaling(MomentSums& sums, std::int64_t batches, Collectives& ranks);
/// That scaling for a prepared expression, whatever scaling it has. A collective.
GeneScaling residual_scaling(const Expression& expression, Collectives& ranks);

/// What share of a cell's counts the chosen genes hold, in the mean of the first 2000 cells. A collective.
double share_of_counts(const Expression& expression, Collectives& ranks);

/// Genes that settings.genes admits, ascending, whether they have counts or not. A collective. Throws UserError for
/// names that are unknown and flags that are not there.
std::vector<std::int64_t> admitted_genes(std::span<const std::string> gene_names,
                                         std::span<const std::uint8_t> highly_variable,
                                         const PreparationSettings& settings, Collectives& ranks);

/// `counts`: this rank's `rows` of `cells`, with all genes of the file; `highly_variable`: the file's own choice of
/// genes, may be empty; `batches`: of all cells, for --batch-statistics, may be empty. A collective. Throws UserError
/// when settings and data do not fit.
Expression prepare_expression(CsrMatrix counts, std::int64_t cells, RowRange rows,
                              std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                              const PreparationSettings& settings, Collectives& ranks, const Labels& batches = {});

/// The same of counts that are read `block_rows` rows at a time, once for each statistic, and stay on disk: the result
/// streams. Every number in it is that of prepare_expression, bit by bit.
Expression prepare_streamed(ReadCounts read, std::int64_t block_rows, std::int64_t cells, RowRange rows,
                            std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                            const PreparationSettings& settings, Collectives& ranks, const Labels& batches = {});

}  // namespace masksc
