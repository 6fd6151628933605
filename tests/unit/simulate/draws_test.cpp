#include "masksc/simulate/draws.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

struct Moments {
  double mean = 0;
  double variance = 0;
};

constexpr int kDraws = 100000;

Moments moments_of(const std::function<double(RandomStream&)>& draw) {
  RandomStream random(5, Purpose::simulate, 0, 0);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = draw(random);
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean};
}

/// Means within five standard errors; variances within `spread` of themselves.
void expect_moments(const Moments& found, double mean, double variance, double spread = 0.05) {
  EXPECT_NEAR(found.mean, mean, 5 * std::sqrt(variance / kDraws));
  EXPECT_NEAR(found.variance, variance, spread * variance);
}

TEST(Draws, NormalAndLogNormal) {
  expect_moments(moments_of([](RandomStream& r) { return draw_normal(r); }), 0, 1);
  expect_moments(moments_of([](RandomStream& r) { return draw_log_normal(r, 1, 0.3); }), std::exp(1.045),
                 (std::exp(0.09) - 1) * std::exp(2.09));
  const auto fourth = moments_of([](RandomStream& r) { return std::pow(draw_normal(r), 4); });
  EXPECT_NEAR(fourth.mean, 3, 5 * std::sqrt(96.0 / kDraws));
}

TEST(Draws, GammaAndChiSquare) {
  for (const double shape : {0.05, 0.6, 1.0, 2.5, 40.0})
    expect_moments(moments_of([shape](RandomStream& r) { return draw_gamma(r, shape); }), shape, shape, 0.1);
  expect_moments(moments_of([](RandomStream& r) { return draw_chi_square(r, 60); }), 60, 120);
}

TEST(Draws, PoissonOnBothSidesOfTheSwitch) {
  for (const double mean : {0.01, 0.7, 9.99, 10.0, 30.5, 5000.0})
    expect_moments(moments_of([mean](RandomStream& r) { return static_cast<double>(draw_poisson(r, mean)); }), mean,
                   mean);
  RandomStream random(1, Purpose::simulate, 0, 0);
  EXPECT_EQ(draw_poisson(random, 0), 0);
  EXPECT_THROW(draw_poisson(random, std::nan("")), InvariantError);
}

TEST(Draws, LargePoissonHasTheRightFrequencies) {
  RandomStream random(3, Purpose::simulate, 0, 0);
  std::vector<int> seen(60);
  for (int i = 0; i < 10 * kDraws; ++i)
    ++seen[static_cast<std::size_t>(std::min<std::int64_t>(draw_poisson(random, 12), 59))];
  double chi_square = 0;
  for (std::size_t k = 3; k < 25; ++k) {
    const auto x = static_cast<double>(k);
    const double expected = 10 * kDraws * std::exp(x * std::log(12.0) - 12 - std::lgamma(x + 1));
    const double difference = seen[k] - expected;
    chi_square += difference * difference / expected;
  }
  EXPECT_LT(chi_square, 50);  // 22 degrees of freedom; 48.3 is the 99.9 % quantile
}

TEST(Shuffle, IsABijectionThatDependsOnTheSeed) {
  for (const std::int64_t size : {1, 2, 3, 5, 64, 1000}) {
    std::set<std::int64_t> seen;
    std::int64_t fixed = 0;
    std::int64_t same = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t at = shuffled_position(i, size, 11);
      EXPECT_GE(at, 0);
      EXPECT_LT(at, size);
      seen.insert(at);
      fixed += at == i ? 1 : 0;
      same += at == shuffled_position(i, size, 12) ? 1 : 0;
    }
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), size);
    if (size == 1000) {
      EXPECT_LT(fixed, 10);
      EXPECT_LT(same, 10);
    }
  }
}

}  // namespace
}  // namespace masksc
