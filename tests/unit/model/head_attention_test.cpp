// Attention of one head, each processor's kernel that this machine can run, against double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../../../src/model/head_attention_lanes.hpp"
#include "../../../src/model/head_tiles.hpp"
#include "masksc/core/host.hpp"

namespace masksc {
namespace {

/// Vectors that no processor has: the compiler cuts them, so the way with wide ones is tried everywhere.
struct Wide {
  using Floats [[gnu::vector_size(64)]] = float;
  static constexpr int block_rows = 4;
  static Floats add_product(const Floats& sums, float x, const Floats& y) { return sums + x * y; }
};

/// Likewise products of pairs of bf16, as processors with instructions for them make them.
struct WidePairs {
  using Floats [[gnu::vector_size(64)]] = float;
  using Bits [[gnu::vector_size(64)]] = std::uint32_t;
  using Halves [[gnu::vector_size(32)]] = Bf16Bits;
  static constexpr int block_rows = 6;
  static Floats add_product(const Floats& sums, float x, const Floats& y) {
    const auto lower = [](const Floats& pairs) { return (Floats)((Bits)pairs << 16); };
    const auto upper = [](const Floats& pairs) { return (Floats)((Bits)pairs & 0xffff0000U); };
    Floats pair;
    for (int i = 0; i < 16; ++i) std::memcpy(reinterpret_cast<char*>(&pair) + 4 * i, &x, sizeof x);
    return sums + lower(pair) * lower(y) + upper(pair) * upper(y);
  }
  static Halves narrow(const Floats& x) {
    const Bits bits = (Bits)x;
    return __builtin_convertvector(((bits & 0x7fffffffU) > 0x7f800000U ? bits : bits + 0x7fff + (bits >> 16 & 1)) >> 16,
                                   Halves);
  }
  static Floats narrow_paired(const Floats& first, const Floats& second) {
    return (Floats)(__builtin_convertvector(narrow(first), Bits) | __builtin_convertvector(narrow(second), Bits) << 16);
  }
};

/// And of tiles of them.
struct WideTiles : WidePairs {
  static void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                       std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride,
                       bool add) {
    for (const std::int64_t n : {rows, columns, depth}) EXPECT_EQ(n % 16, 0);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; j += 16) {
        float* const to = c + i * c_stride + j;
        Floats sums{}, y;
        if (add) std::memcpy(&sums, to, sizeof sums);
        for (std::int64_t k = 0; k < depth; ++k) {
          std::memcpy(&y, b + k * b_stride + j, sizeof y);
          sums = add_product(sums, a[i * a_stride + k], y);
        }
        std::memcpy(to, &sums, sizeof sums);
      }
  }
};

struct Kernel {
  const char* name;
  bool runs;
  const HeadAttention<float>* fp32;
  const HeadAttention<Bf16Bits>* bf16 = nullptr;
  double error = 1e-5;  // of the largest number of a matrix, or of `least`
  double least = 1;
};
std::ostream& operator<<(std::ostream& out, const Kernel& kernel) { return out << kernel.name; }

std::vector<Kernel> kernels() {
  static const HeadAttention<float> wide = LanesAttention<FloatFactors<Wide>>::functions();
  static const HeadAttention<Bf16Bits> wide_pairs = LanesAttention<PairFactors<WidePairs>>::functions();
  static const HeadAttention<Bf16Bits> wide_tiles = LanesAttention<TileFactors<WideTiles>>::functions();
  std::vector<Kernel> found = {{"wide", true, &wide},
                               {"wide_bf16", true, nullptr, &wide_pairs, 0.01, 0.3},
                               {"wide_tiles", true, nullptr, &wide_tiles, 0.01, 0.3}};
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool bf16 = __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                    __builtin_cpu_supports("avx512bw") != 0;
  found.push_back({"avx2", avx2, &avx2_attention});
  found.push_back({"avx512", __builtin_cpu_supports("avx512f") != 0, &avx512_attention});
  found.push_back({"avx512_bf16", bf16, nullptr, &avx512_bf16_attention, 0.01, 0.3});
  found.push_back({"amx", bf16 && may_use_amx_bf16(), nullptr, &amx_attention, 0.01, 0.3});
#endif
  return found;
}

// Numbers of a kernel from those of the tests, which bf16 holds exactly, and back.
void convert(float from, float& to) { to = from; }
void convert(float from, Bf16Bits& to) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &from, sizeof bits);
  to = static_cast<Bf16Bits>(bits >> 16);
}
void convert(Bf16Bits from, float& to) {
  const std::uint32_t bits = std::uint32_t{from} << 16;
  std::memcpy(&to, &bits, sizeof to);
}
float rounded(float x) {
  Bf16Bits bits = 0;
  convert(x, bits);
  convert(bits, x);
  return x;
}

template <class To, class From>
std::vector<To> converted(const std::vector<From>& from) {
  std::vector<To> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) convert(from[i], to[i]);
  return to;
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
      for (float& x : to) x = rounded(static_cast<float>(factor) * normal(random));
    };
    fill(queries, shape.queries, spread);
    fill(keys, shape.tokens, 1);
    fill(values, shape.tokens, 1);
    fill(gradient, shape.queries, 1);
  }
};

struct Found {
  Matrix log_sums, output, query_gradient, key_gradient, value_gradient;
};

template <class Element>
Found run(const HeadAttention<Element>& kernel, const Case& c) {
  const auto empty = [&](std::int64_t rows) {
    return converted<Element>(Matrix(static_cast<std::size_t>(rows * c.stride), untouched));
  };
  std::vector<Element> output = empty(c.shape.queries), query_gradient = output, key_gradient = empty(c.shape.tokens),
                       value_gradient = key_gradient;
  const auto queries = converted<Element>(c.queries);
  const auto keys = converted<Element>(c.keys);
  const auto values = converted<Element>(c.values);
  const auto gradient = converted<Element>(c.gradient);
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
  const auto rows = [&](const std::vector<Element>& x) { return HeadRows<const Element>{x.data(), c.stride}; };
  const auto written = [&](std::vector<Element>& x) { return HeadRows<Element>{x.data(), c.stride}; };
  const HeadInput<Element> input{rows(queries), rows(keys), rows(values)};
  std::vector<float> room = room_of(kernel.forward_room(c.shape));
  kernel.forward(c.shape, input, written(output), log_sums.data(), room.data());
  EXPECT_TRUE(whole(room));
  room = room_of(kernel.backward_room(c.shape));
  kernel.backward(c.shape, {input, rows(output), rows(gradient), log_sums.data()},
                  {written(query_gradient), written(key_gradient), written(value_gradient)}, room.data());
  EXPECT_TRUE(whole(room));
  return {log_sums, converted<float>(output), converted<float>(query_gradient), converted<float>(key_gradient),
          converted<float>(value_gradient)};
}

Found run(const Kernel& kernel, const Case& c) {
  return kernel.bf16 != nullptr ? run(*kernel.bf16, c) : run(*kernel.fp32, c);
}

/// The same by sums in double precision.
Found wanted_of(const Case& c) {
  const auto at = [&](const Matrix& x, std::int64_t row, std::int64_t column) {
    return static_cast<double>(x[static_cast<std::size_t>(row * c.stride + column)]);
  };
  const auto [n, t, d, scale] = c.shape;
  std::vector<double> log_sums(static_cast<std::size_t>(n)), output(static_cast<std::size_t>(n * d)),
      queries(output.size()), keys(static_cast<std::size_t>(t * d)), values(keys.size());
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
    log_sums[static_cast<std::size_t>(i)] = (greatest + std::log(sum)) / std::log(2.0);
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
  return {Matrix(log_sums.begin(), log_sums.end()), spread_out(output), spread_out(queries), spread_out(keys),
          spread_out(values)};
}

class HeadAttentionOf : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (!GetParam().runs) GTEST_SKIP() << "this processor lacks " << GetParam().name;
  }
  [[nodiscard]] const Kernel& kernel() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Kernels, HeadAttentionOf, testing::ValuesIn(kernels()),
                         [](const auto& kernel) { return std::string(kernel.param.name); });

/// Also that nothing is written between the rows. `error`: of the largest number wanted, or of `least`.
void expect_near(const Matrix& found, const Matrix& wanted, double error, double least, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size());
  double largest = least;
  for (const float x : wanted)
    if (x != untouched) largest = std::max(largest, std::abs(static_cast<double>(x)));
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], wanted[i], error * largest) << what << ' ' << i;
}

void expect_as_wanted(const Kernel& given, const Case& c, double times = 1) {
  Kernel kernel = given;
  kernel.error *= times;
  const Found found = run(kernel, c);
  const Found wanted = wanted_of(c);
  const std::string what = std::to_string(c.shape.queries) + " queries, " + std::to_string(c.shape.tokens) +
                           " tokens, " + std::to_string(c.shape.dim) + " columns: ";
  expect_near(found.log_sums, wanted.log_sums, 1e-5, 1, what + "logarithms of sums");  // fp32 in all kernels
  expect_near(found.output, wanted.output, kernel.error, kernel.least, what + "output");
  expect_near(found.query_gradient, wanted.query_gradient, kernel.error, kernel.least, what + "queries");
  expect_near(found.key_gradient, wanted.key_gradient, kernel.error, kernel.least, what + "keys");
  expect_near(found.value_gradient, wanted.value_gradient, kernel.error, kernel.least, what + "values");
}

TEST_P(HeadAttentionOf, EveryRemainderOfRowsAndVectors) {
  for (const std::int64_t queries : {1, 2, 5, 7, 11, 12, 13, 23, 71, 72, 73, 150})
    expect_as_wanted(kernel(), Case(queries, 33, 32));
  for (const std::int64_t tokens : {1, 2, 7, 8, 9, 15, 16, 17, 31, 48, 65, 257})
    expect_as_wanted(kernel(), Case(19, tokens, 32));
  for (const std::int64_t dim : {1, 3, 8, 12, 16, 24, 40, 48, 64, 96}) expect_as_wanted(kernel(), Case(9, 20, dim));
}

TEST_P(HeadAttentionOf, ScoresFarApart) {  // weights from 1 to 0
  // A weight near 1 times the difference of two sums, one of which has the output's rounding.
  expect_as_wanted(kernel(), Case(80, 40, 16, 30), 2);
  const Found found = run(kernel(), Case(30, 40, 16, 1e6));
  for (const float x : found.output) EXPECT_TRUE(std::isfinite(x));
}

/// A sum of exp(score) near 2^-128, where 1 over it is no number: columns that fill up a vector have the score 0.
TEST_P(HeadAttentionOf, AllScoresFarBelowZero) {
  Case c(20, 33, 16);
  std::fill(c.queries.begin(), c.queries.end(), -5.75F);
  std::fill(c.keys.begin(), c.keys.end(), 4.0F);
  expect_as_wanted(kernel(), c);
}

TEST_P(HeadAttentionOf, HugeScores) {  // whose steps in fp32 are large: all the same, so weights are
  Case c(20, 33, 16);
  std::fill(c.queries.begin(), c.queries.end(), rounded(3e4F));
  std::fill(c.keys.begin(), c.keys.end(), rounded(3e4F));
  expect_near(run(kernel(), c).output, wanted_of(c).output, kernel().error, kernel().least, "output");
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
