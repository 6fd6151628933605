// What the tests of this folder share: count matrices, dealt out to ranks that are threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/random.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace masksc::testing {

inline CsrMatrix sparse(const std::vector<std::vector<float>>& dense) {
  CsrMatrix matrix;
  matrix.rows = static_cast<std::int64_t>(dense.size());
  matrix.columns = dense.empty() ? 0 : static_cast<std::int64_t>(dense.front().size());
  for (const auto& row : dense) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (row[column] == 0) continue;
      matrix.indices.push_back(static_cast<std::int32_t>(column));
      matrix.values.push_back(row[column]);
    }
    matrix.row_start.push_back(static_cast<std::int64_t>(matrix.indices.size()));
  }
  return matrix;
}

inline CsrMatrix rows_of(const CsrMatrix& matrix, RowRange rows) {
  CsrMatrix part;
  part.rows = rows.size();
  part.columns = matrix.columns;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const auto indices = matrix.row_indices(row);
    const auto values = matrix.row_values(row);
    part.indices.insert(part.indices.end(), indices.begin(), indices.end());
    part.values.insert(part.values.end(), values.begin(), values.end());
    part.row_start.push_back(static_cast<std::int64_t>(part.indices.size()));
  }
  return part;
}

inline float value_at(const CsrMatrix& matrix, std::int64_t row, std::int64_t column) {
  const auto indices = matrix.row_indices(row);
  for (std::size_t i = 0; i < indices.size(); ++i)
    if (indices[i] == column) return matrix.row_values(row)[i];
  return 0;
}

/// Counts with many zeros, some genes without any, and genes that vary more than others.
inline CsrMatrix random_counts(std::int64_t cells, std::int64_t genes, std::uint64_t seed = 1) {
  std::vector<std::vector<float>> dense(static_cast<std::size_t>(cells));
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    RandomStream random(seed, Purpose::sampling, 0, static_cast<std::uint64_t>(cell));
    for (std::int64_t gene = 0; gene < genes; ++gene) {
      const double height = 1 + static_cast<double>(gene % 9);
      const double draw = random.uniform() * random.uniform() * random.uniform() * height;
      dense[static_cast<std::size_t>(cell)].push_back(gene % 13 == 5 ? 0.0F
                                                                     : static_cast<float>(static_cast<int>(3 * draw)));
    }
    dense[static_cast<std::size_t>(cell)][0] += 1;  // no cell without counts
  }
  return sparse(dense);
}

inline std::vector<std::string> gene_names(std::int64_t genes) {
  std::vector<std::string> names;
  for (std::int64_t gene = 0; gene < genes; ++gene) names.push_back("gene" + std::to_string(gene));
  return names;
}

/// What each rank makes of `counts` when they are dealt out to `ranks` as the programs do.
inline std::vector<Expression> prepare_on(int ranks, const CsrMatrix& counts, const PreparationSettings& settings,
                                          const std::vector<std::uint8_t>& flags = {}) {
  std::vector<Expression> results(static_cast<std::size_t>(ranks));
  const auto names = gene_names(counts.columns);
  run_as_threads(ranks, [&](Collectives& team) {
    const RowRange rows = rows_of_rank(counts.rows, team.rank(), team.size());
    results[static_cast<std::size_t>(team.rank())] =
        prepare_expression(rows_of(counts, rows), counts.rows, rows, names, flags, settings, team);
  });
  return results;
}

inline Expression prepare(const CsrMatrix& counts, const PreparationSettings& settings,
                          const std::vector<std::uint8_t>& flags = {}) {
  return std::move(prepare_on(1, counts, settings, flags).front());
}

}  // namespace masksc::testing
