// Cells that stay on the device give the batches, and the training, of those that do not.
#include "masksc/train/resident.hpp"

#include <gtest/gtest.h>

#include "courses.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/preprocess/scaling.hpp"

namespace masksc {
namespace {

/// Every row that ResidentCells makes is Densifier's; `change` alters the expression first.
void expect_rows(int size, const std::function<void(Expression&, Collectives&)>& change) {
  run_as_threads(size, [&](Collectives& ranks) {
    Expression expression = small_expression(cells, side, patch, ranks);
    change(expression, ranks);
    const ResidentCells resident(expression, at::kCPU, ranks);
    const Densifier densifier(expression);
    const std::int64_t width = densifier.width();
    std::vector<std::int64_t> asked;
    for (std::int64_t cell = expression.rows.end - 1; cell >= expression.rows.begin; --cell) asked.push_back(cell);
    asked.insert(asked.begin() + 1, -1);
    const at::Tensor rows = resident.rows(asked);
    ASSERT_EQ(rows.sizes(), at::IntArrayRef({static_cast<std::int64_t>(asked.size()), width}));
    for (std::size_t i = 0; i < asked.size(); ++i) {
      at::Tensor wanted = at::zeros({width});
      const std::int64_t row = asked[i] - expression.rows.begin;
      if (asked[i] >= 0)
        densifier.fill(expression.values.row_indices(row), expression.values.row_values(row),
                       {wanted.data_ptr<float>(), static_cast<std::size_t>(width)}, expression.batch(asked[i]));
      EXPECT_TRUE(at::equal(rows[static_cast<std::int64_t>(i)], wanted)) << "cell " << asked[i];
    }
    // Those of other ranks are here too.
    std::vector<std::int64_t> all(static_cast<std::size_t>(cells));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    at::Tensor sum = resident.rows(all).sum(0).to(at::kDouble);
    at::Tensor own = resident.rows(std::span(asked)).sum(0).to(at::kDouble);
    ranks.all_reduce(std::span(own.data_ptr<double>(), static_cast<std::size_t>(width)));
    EXPECT_TRUE(at::allclose(sum, own, 1e-4, 1e-3));
  });
}

TEST(ResidentCells, RowsAreTheDensifiers) {
  for (const int size : {1, 3}) {
    expect_rows(size, [](Expression&, Collectives&) {});
    expect_rows(size, [](Expression& expression, Collectives& ranks) {
      expression.scaling = residual_scaling(expression, ranks);
    });
    expect_rows(size, [](Expression& expression, Collectives&) {  // two batches, each with its own scaling
      for (std::int64_t cell = 0; cell < cells; ++cell)
        expression.batch_of_cell.push_back(static_cast<std::int32_t>(cell % 2));
      GeneScaling& scaling = expression.scaling;
      scaling.batches = 2;
      for (std::vector<float>* numbers : {&scaling.mean, &scaling.inverse_sd}) {
        const std::vector<float> first = *numbers;
        for (const float x : first) numbers->push_back(0.5F * x + 0.1F);
      }
    });
  }
}

TEST(ResidentCells, TrainTheSame) {
  for (const int size : {1, 3}) {
    const Course plain = course(size, short_training(), 0.1);
    CourseOptions options;
    options.train = short_training();
    options.dropout = 0.1;
    options.resident = true;
    EXPECT_TRUE(at::equal(course(size, options).weights, plain.weights)) << size << " ranks";
  }
}

}  // namespace
}  // namespace masksc
