#include "masksc/preprocess/variable_genes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace masksc {
namespace {

constexpr std::size_t kBins = 20;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Edges of pandas.cut(x, 20): equally spaced. Its first edge lies lower, so that the smallest x falls in the first
/// bin; here all below the second edge do.
std::array<double, kBins + 1> bin_edges(std::span<const double> x) {
  auto [low, high] = std::pair(*std::min_element(x.begin(), x.end()), *std::max_element(x.begin(), x.end()));
  if (low == high) {
    low -= low == 0 ? 0.001 : 0.001 * std::abs(low);
    high += high == 0 ? 0.001 : 0.001 * std::abs(high);
  }
  std::array<double, kBins + 1> edges{};
  const double step = (high - low) / static_cast<double>(kBins);
  for (std::size_t i = 0; i < kBins; ++i) edges[i] = static_cast<double>(i) * step + low;
  edges[kBins] = high;
  return edges;
}

struct BinStatistics {
  std::int64_t genes = 0;
  double mean = 0;
  double squares = 0;  // sum of squared deviations (Welford)

  void add(double value) {
    ++genes;
    const double delta = value - mean;
    mean += delta / static_cast<double>(genes);
    squares += delta * (value - mean);
  }
  [[nodiscard]] double score(double value) const {
    if (genes == 1) return value / mean;  // scanpy's rule for a gene alone: 1, undefined where 0 / 0
    const double deviation = std::sqrt(squares / static_cast<double>(genes - 1));
    return deviation > 0 ? (value - mean) / deviation : kUndefined;
  }
};

}  // namespace

std::vector<double> normalized_dispersion(const GeneMoments& moments) {
  const std::size_t genes = moments.mean.size();
  std::vector<double> log_mean(genes);
  std::vector<double> scores(genes);
  if (genes == 0) return scores;
  for (std::size_t i = 0; i < genes; ++i) {
    const double mean = moments.mean[i] == 0 ? 1e-12 : moments.mean[i];
    log_mean[i] = std::log1p(mean);
    scores[i] = moments.variance[i] > 0 ? std::log(moments.variance[i] / mean) : kUndefined;
  }

  const auto edges = bin_edges(log_mean);
  std::array<BinStatistics, kBins> bins;
  std::vector<std::size_t> bin(genes);
  for (std::size_t i = 0; i < genes; ++i) {
    const auto right = std::lower_bound(edges.begin() + 1, edges.end() - 1, log_mean[i]);
    bin[i] = static_cast<std::size_t>(right - edges.begin()) - 1;
    if (!std::isnan(scores[i])) bins[bin[i]].add(scores[i]);
  }
  for (std::size_t i = 0; i < genes; ++i)
    if (!std::isnan(scores[i])) scores[i] = bins[bin[i]].score(scores[i]);
  return scores;
}

std::vector<std::int64_t> by_descending_score(std::span<const double> scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const double score_a = scores[static_cast<std::size_t>(a)];
    const double score_b = scores[static_cast<std::size_t>(b)];
    if (std::isnan(score_a) || std::isnan(score_b)) return !std::isnan(score_a) && std::isnan(score_b);
    return score_a > score_b;
  });
  return order;
}

}  // namespace masksc
