// Attention of one head, each processor's kernel that this machine can run, against double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors of no processor are returned, but never to another file
#endif

#include "../../../src/model/head_attention_lanes.hpp"

namespace masksc {
namespace {

/// Vectors that no processor has: the compiler cuts them, so the way with wide ones is tried everywhere.
struct Wide {
  using Floats [[gnu::vector_size(64)]] = float;
  static constexpr int block_rows = 4;
};

struct Kernel {
  const char* name;
  bool runs;
  const HeadAttention* functions;
};
std::ostream& operator<<(std::ostream& out, const Kernel& kernel) { return out << kernel.name; }

std::vector<Kernel> kernels() {
  static const HeadAttention wide = LanesAttention<Wide>::functions();
  std::vector<Kernel> found = {{"wide", true, &wide}};
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  found.push_back({"avx2", avx2, &avx2_attention});
  found.push_back({"avx512", __builtin_cpu_supports("avx512f") != 0, &avx512_attention});
#endif
  return found;
}

using Matrix = std::vector<float>;  // rows of `stride` floats
constexpr float untouched = 77;

/// The matrices of one head: queries, keys and values, and the output's gradient; rows lie apart.
struct Case {
  HeadShape shape;
  std::int64_t stride;
  Matrix queries, keys, values, gradient;

  Case(std::int64_t queries_count, std::int64_t tokens, std::int64_t dim, double spread = 1)
      : shape{queries_count, tokens, dim, static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))},
        stride(dim + 3) {
    std::mt19937 random(static_cast<unsigned>(queries_count * 1000 + tokens * 10 + dim));
    std::normal_distribution<float> normal;
    const auto fill = [&](Matrix& to, std::int64_t rows, double factor) {
      to.resize(static_cast<std::size_t>(rows * stride));
      for (float& x : to) x = static_cast<float>(factor) * normal(random);
    };
    fill(queries, shape.queries, spread);
    fill(keys, shape.tokens, 1);
    fill(values, shape.tokens, 1);
    fill(gradient, shape.queries, 1);
  }
};

struct Found {
  Matrix output, query_gradient, key_gradient, value_gradient;
};

Found run(const HeadAttention& kernel, const Case& c) {
  const auto empty = [&](std::int64_t rows) { return Matrix(static_cast<std::size_t>(rows * c.stride), untouched); };
  Found found{empty(c.shape.queries), empty(c.shape.queries), empty(c.shape.tokens), empty(c.shape.tokens)};
  std::vector<float> log_sums(static_cast<std::size_t>(c.shape.queries));
  // Not a number, and 64 more behind: what is read before it is written, or written behind the end, shows.
  const auto room_of = [](std::int64_t count) {
    std::vector<float> room(static_cast<std::size_t>(count) + 64, std::numeric_limits<float>::quiet_NaN());
    std::fill(room.end() - 64, room.end(), untouched);
    return room;
  };
  const auto whole = [](const std::vector<float>& room) {
    return std::all_of(room.end() - 64, room.end(), [](float x) { return x == untouched; });
  };
  const auto rows = [&](const Matrix& x) { return ReadRows{x.data(), c.stride}; };
  std::vector<float> room = room_of(kernel.forward_room(c.shape));
  kernel.forward(c.shape, rows(c.queries), rows(c.keys), rows(c.values), {found.output.data(), c.stride},
                 log_sums.data(), room.data());
  EXPECT_TRUE(whole(room));
  room = room_of(kernel.backward_room(c.shape));
  kernel.backward(
      c.shape, {rows(c.queries), rows(c.keys), rows(c.values), rows(found.output), rows(c.gradient), log_sums.data()},
      {{found.query_gradient.data(), c.stride},
       {found.key_gradient.data(), c.stride},
       {found.value_gradient.data(), c.stride}},
      room.data());
  EXPECT_TRUE(whole(room));
  return found;
}

/// The same by sums in double precision.
Found wanted_of(const Case& c) {
  const auto at = [&](const Matrix& x, std::int64_t row, std::int64_t column) {
    return static_cast<double>(x[static_cast<std::size_t>(row * c.stride + column)]);
  };
  const auto [n, t, d, scale] = c.shape;
  std::vector<double> output(static_cast<std::size_t>(n * d)), queries(output.size()),
      keys(static_cast<std::size_t>(t * d)), values(keys.size());
  const auto place = [&, columns = d](std::int64_t row, std::int64_t column) {
    return static_cast<std::size_t>(row * columns + column);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<double> weights(static_cast<std::size_t>(t)), slopes(weights.size());
    for (std::int64_t j = 0; j < t; ++j)
      for (std::int64_t k = 0; k < d; ++k)
        weights[static_cast<std::size_t>(j)] += at(c.queries, i, k) * at(c.keys, j, k) * static_cast<double>(scale);
    const double greatest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& w : weights) sum += w = std::exp(w - greatest);
    for (double& w : weights) w /= sum;
    double common = 0;
    for (std::int64_t j = 0; j < t; ++j)
      for (std::int64_t k = 0; k < d; ++k) {
        const auto token = static_cast<std::size_t>(j);
        output[place(i, k)] += weights[token] * at(c.values, j, k);
        values[place(j, k)] += weights[token] * at(c.gradient, i, k);
        slopes[token] += at(c.gradient, i, k) * at(c.values, j, k);
        common += weights[token] * at(c.gradient, i, k) * at(c.values, j, k);
      }
    for (std::int64_t j = 0; j < t; ++j) {
      const auto token = static_cast<std::size_t>(j);
      const double slope = weights[token] * (slopes[token] - common) * static_cast<double>(scale);
      for (std::int64_t k = 0; k < d; ++k) {
        queries[place(i, k)] += slope * at(c.keys, j, k);
        keys[place(j, k)] += slope * at(c.queries, i, k);
      }
    }
  }
  const auto spread_out = [&, columns = d](const std::vector<double>& x) {
    Matrix to(x.size() / static_cast<std::size_t>(columns) * static_cast<std::size_t>(c.stride), untouched);
    for (std::size_t i = 0; i < x.size(); ++i)
      to[i / static_cast<std::size_t>(columns) * static_cast<std::size_t>(c.stride) +
         i % static_cast<std::size_t>(columns)] = static_cast<float>(x[i]);
    return to;
  };
  return {spread_out(output), spread_out(queries), spread_out(keys), spread_out(values)};
}

class HeadAttentionOf : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (!GetParam().runs) GTEST_SKIP() << "this processor lacks " << GetParam().name;
  }
  [[nodiscard]] const HeadAttention& kernel() const { return *GetParam().functions; }
};
INSTANTIATE_TEST_SUITE_P(Kernels, HeadAttentionOf, testing::ValuesIn(kernels()),
                         [](const auto& kernel) { return std::string(kernel.param.name); });

/// Also that nothing is written between the rows.
void expect_near(const Matrix& found, const Matrix& wanted, double error, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], wanted[i], error) << what << ' ' << i;
}

void expect_as_wanted(const HeadAttention& kernel, const Case& c, double error) {
  const Found found = run(kernel, c);
  const Found wanted = wanted_of(c);
  const std::string what = std::to_string(c.shape.queries) + " queries, " + std::to_string(c.shape.tokens) +
                           " tokens, " + std::to_string(c.shape.dim) + " columns: ";
  expect_near(found.output, wanted.output, error, what + "output");
  expect_near(found.query_gradient, wanted.query_gradient, error, what + "queries");
  expect_near(found.key_gradient, wanted.key_gradient, error, what + "keys");
  expect_near(found.value_gradient, wanted.value_gradient, error, what + "values");
}

TEST_P(HeadAttentionOf, EveryRemainderOfRowsAndVectors) {
  for (const std::int64_t queries : {1, 2, 5, 7, 11, 12, 13, 23, 71, 72, 73, 150})
    expect_as_wanted(kernel(), Case(queries, 33, 32), 1e-5);
  for (const std::int64_t tokens : {1, 2, 7, 8, 9, 15, 16, 17, 31, 48, 65, 257})
    expect_as_wanted(kernel(), Case(19, tokens, 32), 1e-5);
  for (const std::int64_t dim : {1, 3, 8, 12, 16, 24, 40, 48, 64, 96})
    expect_as_wanted(kernel(), Case(9, 20, dim), 1e-5);
}

TEST_P(HeadAttentionOf, ScoresFarApart) {  // weights from 1 to 0
  expect_as_wanted(kernel(), Case(80, 40, 16, 30), 1e-3);
  const Found found = run(kernel(), Case(30, 40, 16, 1e6));
  for (const float x : found.output) EXPECT_TRUE(std::isfinite(x));
}

TEST_P(HeadAttentionOf, WhatIsNotANumberShows) {
  Case c(40, 30, 8);
  c.queries[static_cast<std::size_t>(3 * c.stride)] = std::numeric_limits<float>::quiet_NaN();
  const Found found = run(kernel(), c);
  EXPECT_TRUE(std::isnan(found.output[static_cast<std::size_t>(3 * c.stride)]));
  EXPECT_FALSE(std::isnan(found.output[static_cast<std::size_t>(2 * c.stride)]));
  EXPECT_TRUE(std::isnan(found.query_gradient[static_cast<std::size_t>(3 * c.stride)]));
  EXPECT_TRUE(std::isnan(found.value_gradient[0]));
}

}  // namespace
}  // namespace masksc
