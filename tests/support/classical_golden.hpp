// What scikit-learn, scipy and numpy make of the inputs of the classical baselines (tests/golden/classical.py).
#pragma once

#include <cstdint>
#include <fstream>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"

namespace masksc {

inline Json classical_golden(const char* part) {
  return Json::parse(std::ifstream(MASKSC_TEST_GOLDEN "/classical.json")).at(part);
}

/// The rows `x` of a case.
inline DenseMatrix golden_rows(const Json& given) {
  DenseMatrix rows;
  rows.values = given.at("x").get<std::vector<float>>();
  rows.columns = given.at("columns");
  rows.rows = static_cast<std::int64_t>(rows.values.size()) / rows.columns;
  return rows;
}

}  // namespace masksc
