#include "masksc/preprocess/expression.hpp"

namespace masksc {

ExpressionRows::ExpressionRows(const Expression& expression, RowRange rows)
    : matrix_(&expression.values), first_(expression.rows.begin) {
  if (!expression.streams()) return;
  read_ = expression.read(rows);
  matrix_ = &read_;
  first_ = rows.begin;
}

}  // namespace masksc
