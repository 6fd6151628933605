// Counts as they are after preparation: the chosen genes of each cell, log-normalised, and how the model sees them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/preprocess/layout.hpp"

namespace masksc {

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

constexpr std::int64_t scanned_rows = 1024;  // read at a time where all are passed over

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

}  // namespace masksc
