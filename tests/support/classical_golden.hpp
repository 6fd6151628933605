// What scikit-learn, scipy and numpy make of the inputs of the classical baselines (tests/golden/classical.py).
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"

namespace masksc {

inline Json classical_golden(const char* part) {
  return parse_json(read_file(MASKSC_TEST_GOLDEN "/classical.json")).at(part);
}

/// The rows `x` of a case.
inline DenseMatrix golden_rows(const Json& given) {
  DenseMatrix rows;
  rows.values = given.at("x").get<std::vector<float>>();
  rows.columns = given.at("columns");
  rows.rows = static_cast<std::int64_t>(rows.values.size()) / rows.columns;
  return rows;
}

inline CsrMatrix sparse_of(const DenseMatrix& dense) {
  CsrMatrix counts;
  counts.rows = dense.rows;
  counts.columns = dense.columns;
  for (std::int64_t cell = 0; cell < dense.rows; ++cell) {
    for (std::int64_t gene = 0; gene < dense.columns; ++gene) {
      const float value = dense.row(cell)[static_cast<std::size_t>(gene)];
      if (value == 0) continue;
      counts.indices.push_back(static_cast<std::int32_t>(gene));
      counts.values.push_back(value);
    }
    counts.row_start.push_back(std::ssize(counts.values));
  }
  return counts;
}

}  // namespace masksc
