// What lies between products, each processor's kernels that this machine can run, against double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "../../../src/model/row_lanes.hpp"
#include "wide_processors.hpp"

namespace masksc {
namespace {

using Numbers = std::vector<float>;
constexpr float untouched = 77;

struct Kernel {
  const char* name;
  bool runs;
  const RowKernels<float>* fp32;
  const RowKernels<Bf16Bits>* bf16 = nullptr;
  double error = 2e-6;  // of a number and 1
};
std::ostream& operator<<(std::ostream& out, const Kernel& kernel) { return out << kernel.name; }

std::vector<Kernel> kernels() {
  static const RowKernels<float> wide = LanesRows<FloatRows<Wide>>::functions();
  static const RowKernels<Bf16Bits> wide_halves = LanesRows<HalfRows<WidePairs>>::functions();
  std::vector<Kernel> found = {{"wide", true, &wide}, {"wide_bf16", true, nullptr, &wide_halves, 0.005}};
#ifdef __x86_64__
  const bool bf16 = __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                    __builtin_cpu_supports("avx512bw") != 0;
  found.push_back({"avx2", __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0, &avx2_rows});
  found.push_back({"avx512", __builtin_cpu_supports("avx512f") != 0, &avx512_rows});
  found.push_back({"avx512_bf16", bf16, nullptr, &avx512_bf16_rows, 0.005});
#endif
  return found;
}

/// Rows of one case; all numbers are such as bf16 has.
struct Case {
  std::int64_t rows, width;
  Numbers x, branch, branch_bias, weight, bias, gradient, direct;

  Case(std::int64_t rows_count, std::int64_t columns, float offset = 0, float spread = 1)
      : rows(rows_count), width(columns) {
    std::mt19937 random(static_cast<unsigned>(rows * 1000 + width));
    std::normal_distribution<float> normal;
    const auto fill = [&](Numbers& to, std::int64_t count, float around, float factor) {
      to.resize(static_cast<std::size_t>(count));
      for (float& number : to) number = rounded(around + factor * normal(random));
    };
    fill(x, rows * width, offset, spread);
    fill(branch, rows * width, 0, spread);
    fill(branch_bias, width, 0, 1);
    fill(weight, width, 1, 0.5F);
    fill(bias, width, 0, 1);
    fill(gradient, rows * width, 0, 1);
    fill(direct, rows * width, 0, 1);
  }
  [[nodiscard]] RowsShape shape() const { return {rows, width}; }
  [[nodiscard]] double at(const Numbers& numbers, std::int64_t row, std::int64_t column) const {
    return numbers[static_cast<std::size_t>(row * width + column)];
  }
};

/// Numbers in the kernel's type; those that it is to write begin as untouched, with some behind their end.
template <class Element>
struct Buffer {
  explicit Buffer(const Numbers& from) : numbers(converted<Element>(from)) {}
  explicit Buffer(std::int64_t count)
      : numbers(converted<Element>(Numbers(static_cast<std::size_t>(count) + 32, untouched))) {}
  [[nodiscard]] Numbers written() const {
    Numbers all = converted<float>(numbers);
    EXPECT_TRUE(std::all_of(all.end() - 32, all.end(), [](float number) { return number == untouched; }));
    all.resize(all.size() - 32);
    return all;
  }
  std::vector<Element> numbers;
};

class RowKernelsOf : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (!GetParam().runs) GTEST_SKIP() << "this processor lacks " << GetParam().name;
  }
  /// work(kernels) with those of its type.
  template <class Work>
  static void with_kernels(const Work& work) {
    if (GetParam().bf16 != nullptr)
      work(*GetParam().bf16);
    else
      work(*GetParam().fp32);
  }
  /// `times`: what a sum of many has more.
  static void expect_near(const Numbers& found, const std::vector<double>& wanted, const std::string& what,
                          double times = 1) {
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], wanted[i], times * GetParam().error * (1 + std::abs(wanted[i]))) << what << ' ' << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Kernels, RowKernelsOf, testing::ValuesIn(kernels()),
                         [](const auto& kernel) { return std::string(kernel.param.name); });

const std::vector<std::pair<std::int64_t, std::int64_t>> shapes = {{1, 16}, {3, 32}, {5, 48},
                                                                   {7, 64}, {2, 80}, {33, 192}};

double normal_below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

TEST_P(RowKernelsOf, GeluAndItsGradient) {
  for (const auto& [rows, width] : shapes)
    with_kernels([&, rows = rows, width = width]<class Element>(const RowKernels<Element>& kernels) {
      const Case c(rows, width, 0, 3);
      const Buffer<Element> x(c.x), bias(c.bias), gradient(c.gradient);
      Buffer<Element> y(rows * width), slope(rows * width);
      Numbers sums(static_cast<std::size_t>(width) + 32, untouched);
      std::fill(sums.begin(), sums.end() - 32, 1.0F);
      const GeluRows<Element> in{x.numbers.data(), bias.numbers.data()};
      kernels.gelu(c.shape(), in, y.numbers.data());
      kernels.gelu_backward(c.shape(), in, gradient.numbers.data(), slope.numbers.data(), sums.data());
      std::vector<double> wanted, slopes, bias_sums(static_cast<std::size_t>(width), 1);
      for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t i = 0; i < width; ++i) {
          const double at = c.at(c.x, row, i) + c.at(c.bias, 0, i);
          wanted.push_back(at * normal_below(at));
          slopes.push_back(c.at(c.gradient, row, i) * (normal_below(at) + at * normal_density(at)));
          bias_sums[static_cast<std::size_t>(i)] += slopes.back();
        }
      expect_near(y.written(), wanted, "gelu");
      expect_near(slope.written(), slopes, "gradient");
      EXPECT_EQ(sums.back(), untouched);
      sums.resize(static_cast<std::size_t>(width));
      for (std::size_t i = 0; i < sums.size(); ++i)
        EXPECT_NEAR(sums[i], bias_sums[i], 1e-5 * static_cast<double>(10 + rows)) << i;
    });
}

TEST_P(RowKernelsOf, GeluFarOut) {
  with_kernels([&]<class Element>(const RowKernels<Element>& kernels) {
    const float infinity = std::numeric_limits<float>::infinity();
    Numbers far = {-1e30F, -1e4F, -30, -14, -6, -0.0F, 0, 1e-30F, 6, 14, 30, 1e4F, 1e30F, infinity, std::nanf(""), 1};
    for (float& number : far) number = rounded(number);
    const Buffer<Element> x(far), bias(Numbers(16, 0)), gradient(Numbers(16, 1));
    Buffer<Element> y(16), slope(16);
    Numbers sums(16);
    const GeluRows<Element> in{x.numbers.data(), bias.numbers.data()};
    kernels.gelu({1, 16}, in, y.numbers.data());
    kernels.gelu_backward({1, 16}, in, gradient.numbers.data(), slope.numbers.data(), sums.data());
    const Numbers found = y.written(), slopes = slope.written();
    for (std::size_t i = 0; i < 13; ++i) {
      const double at = far[i];
      EXPECT_NEAR(found[i], at * normal_below(at), 2e-6 + GetParam().error * std::abs(found[i])) << at;
      EXPECT_NEAR(slopes[i], normal_below(at) + at * normal_density(at), 2 * GetParam().error) << at;
    }
    EXPECT_EQ(found[13], infinity);
    EXPECT_TRUE(std::isnan(found[14]) && std::isnan(slopes[14]));
  });
}

/// Sums, their layer norms and what these hand back; without a branch, and where nothing comes back to the sum, too.
TEST_P(RowKernelsOf, SumsAndNormsAndTheirGradients) {
  for (const auto& [rows, width] : shapes)
    for (const auto& [branch, direct_too] : {std::pair(true, true), {true, false}, {false, true}, {false, false}})
      with_kernels([&, rows = rows, width = width, branch = branch,
                    direct_too = direct_too]<class Element>(const RowKernels<Element>& kernels) {
        const Case c(rows, width);
        const Buffer<Element> x(c.x), other(c.branch), other_bias(c.branch_bias), weight(c.weight), bias(c.bias),
            gradient(c.gradient), direct(c.direct);
        Buffer<Element> sum(rows * width), alone(rows * width), normed(rows * width), back(rows * width);
        Numbers mean(static_cast<std::size_t>(rows)), inverse(mean.size());
        const SumRows<Element> in{x.numbers.data(), branch ? other.numbers.data() : nullptr,
                                  branch ? other_bias.numbers.data() : nullptr, branch ? sum.numbers.data() : nullptr};
        kernels.sum_and_norm(
            c.shape(), in,
            {weight.numbers.data(), bias.numbers.data(), normed.numbers.data(), mean.data(), inverse.data()});
        if (branch) {
          kernels.sum(c.shape(), {in.x, in.branch, in.bias, alone.numbers.data()});
          EXPECT_EQ(alone.written(), sum.written());
        }
        const Numbers summed = branch ? sum.written() : c.x;
        std::vector<Numbers> columns(3, Numbers(static_cast<std::size_t>(width), 1));
        kernels.norm_backward(
            c.shape(),
            {branch ? sum.numbers.data() : in.x, weight.numbers.data(), gradient.numbers.data(),
             direct_too ? direct.numbers.data() : nullptr, mean.data(), inverse.data()},
            {back.numbers.data(), columns[0].data(), columns[1].data(), branch ? columns[2].data() : nullptr});
        std::vector<double> sums, norms, backs;
        std::vector<std::vector<double>> totals(3, std::vector<double>(static_cast<std::size_t>(width), 1));
        for (std::int64_t row = 0; row < rows; ++row) {
          double m = 0, variance = 0, slope = 0, along = 0;
          for (std::int64_t i = 0; i < width; ++i) {
            sums.push_back(c.at(c.x, row, i) + (branch ? c.at(c.branch, row, i) + c.at(c.branch_bias, 0, i) : 0));
            m += c.at(summed, row, i) / static_cast<double>(width);  // as rounded
          }
          for (std::int64_t i = 0; i < width; ++i)
            variance += std::pow(c.at(summed, row, i) - m, 2) / static_cast<double>(width);
          const double deviation = std::sqrt(variance + 1e-5);
          const auto normal = [&](std::int64_t i) { return (c.at(summed, row, i) - m) / deviation; };
          for (std::int64_t i = 0; i < width; ++i) {
            const double upper = c.at(c.gradient, row, i);
            norms.push_back(normal(i) * c.at(c.weight, 0, i) + c.at(c.bias, 0, i));
            slope += upper * c.at(c.weight, 0, i) / static_cast<double>(width);
            along += upper * c.at(c.weight, 0, i) * normal(i) / static_cast<double>(width);
            totals[0][static_cast<std::size_t>(i)] += upper * normal(i);
            totals[1][static_cast<std::size_t>(i)] += upper;
          }
          for (std::int64_t i = 0; i < width; ++i) {
            backs.push_back((c.at(c.gradient, row, i) * c.at(c.weight, 0, i) - slope - normal(i) * along) / deviation +
                            (direct_too ? c.at(c.direct, row, i) : 0));
            if (branch) totals[2][static_cast<std::size_t>(i)] += backs.back();
          }
        }
        if (branch) expect_near(summed, sums, "sum");
        expect_near(normed.written(), norms, "normed", 2);
        expect_near(back.written(), backs, "gradient", 2);
        for (std::size_t which = 0; which < 3; ++which)
          for (std::size_t i = 0; i < columns[which].size(); ++i)
            ASSERT_NEAR(columns[which][i], totals[which][i], 2e-5 * static_cast<double>(10 + rows))
                << which << ' ' << i;
      });
}

/// Far from 0 a variance of squares would be lost.
TEST_P(RowKernelsOf, NormsOfRowsFarFromZero) {
  with_kernels([&]<class Element>(const RowKernels<Element>& kernels) {
    const Case c(4, 64, 4000, 40);
    const Buffer<Element> x(c.x), weight(Numbers(64, 1)), bias(Numbers(64, 0));
    Buffer<Element> normed(4 * 64);
    Numbers mean(4), inverse(4);
    kernels.sum_and_norm(
        c.shape(), {x.numbers.data(), nullptr, nullptr, nullptr},
        {weight.numbers.data(), bias.numbers.data(), normed.numbers.data(), mean.data(), inverse.data()});
    for (std::int64_t row = 0; row < 4; ++row) {
      double m = 0, squares = 0;
      for (std::int64_t i = 0; i < 64; ++i) m += c.at(c.x, row, i) / 64;
      for (std::int64_t i = 0; i < 64; ++i) squares += std::pow(c.at(c.x, row, i) - m, 2) / 64;
      EXPECT_NEAR(mean[static_cast<std::size_t>(row)], m, 1e-2);
      EXPECT_NEAR(inverse[static_cast<std::size_t>(row)] * std::sqrt(squares), 1, 1e-5);
    }
  });
}

}  // namespace
}  // namespace masksc
