#include "masksc/simulate/draws.hpp"

#include <bit>
#include <cmath>

#include "masksc/core/error.hpp"
#include "streams.hpp"

namespace masksc {
namespace {

/// log(k!) by Stirling's series (error below 1e-10), directly for small k.
double log_factorial(double k) {
  if (k < 10) {
    double product = 1;
    for (double factor = 2; factor <= k; ++factor) product *= factor;
    return std::log(product);
  }
  constexpr double half_log_two_pi = 0.91893853320467274178;
  const double x = k + 1;
  const double inverse = 1 / x;
  const double square = inverse * inverse;
  return (x - 0.5) * std::log(x) - x + half_log_two_pi +
         inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260)));
}

std::int64_t draw_small_poisson(RandomStream& random, double mean) {
  const double limit = std::exp(-mean);
  std::int64_t count = 0;
  for (double product = random.uniform(); product > limit; product *= random.uniform()) ++count;
  return count;
}

/// Transformed rejection with squeeze; the names of the constants are the paper's.
std::int64_t draw_large_poisson(RandomStream& random, double mean) {
  const double log_mean = std::log(mean);
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = random.uniform() - 0.5;
    const double v = random.uniform();
    const double u_s = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / u_s + b) * u + mean + 0.43);
    if (u_s >= 0.07 && v <= v_r) return static_cast<std::int64_t>(k);
    if (k < 0 || (u_s < 0.013 && v > u_s)) continue;
    if (std::log(v * inverse_alpha / (a / (u_s * u_s) + b)) <= k * log_mean - mean - log_factorial(k))
      return static_cast<std::int64_t>(k);
  }
}

}  // namespace

double draw_normal(RandomStream& random) {
  for (;;) {
    const double x = 2 * random.uniform() - 1;
    const double y = 2 * random.uniform() - 1;
    const double square = x * x + y * y;
    if (square > 0 && square < 1) return x * std::sqrt(-2 * std::log(square) / square);
  }
}

double draw_log_normal(RandomStream& random, double location, double scale) {
  return std::exp(location + scale * draw_normal(random));
}

double draw_gamma(RandomStream& random, double shape) {
  if (shape < 1) {
    const double larger = draw_gamma(random, shape + 1);
    return larger * std::pow(1 - random.uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = draw_normal(random);
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    const double u = 1 - random.uniform();  // in (0, 1]
    if (u < 1 - 0.0331 * x * x * x * x || std::log(u) < 0.5 * x * x + d * (1 - v + std::log(v))) return d * v;
  }
}

double draw_chi_square(RandomStream& random, double degrees) { return 2 * draw_gamma(random, degrees / 2); }

std::int64_t draw_poisson(RandomStream& random, double mean) {
  ensure(mean >= 0 && mean < 1e15, "draw_poisson: mean out of range");
  return mean < 10 ? draw_small_poisson(random, mean) : draw_large_poisson(random, mean);
}

std::int64_t shuffled_position(std::int64_t item, std::int64_t size, std::uint64_t seed) {
  ensure(item >= 0 && item < size, "shuffled_position: no such item");
  // A Feistel network permutes the smallest 4^h >= size; walking its cycle until it falls below size permutes
  // 0..size-1.
  const auto half = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(size)) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  auto at = static_cast<std::uint64_t>(item);
  do {
    std::uint64_t left = at >> half;
    std::uint64_t right = at & mask;
    for (std::uint32_t round = 0; round < 6; ++round) {
      const std::uint64_t mixed = left ^ (simulation_stream(seed, SimulationStream::order, right, round)() & mask);
      left = right;
      right = mixed;
    }
    at = (left << half) | right;
  } while (at >= static_cast<std::uint64_t>(size));
  return static_cast<std::int64_t>(at);
}

}  // namespace masksc
