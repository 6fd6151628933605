#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <numeric>
#include <span>

#include "cidr_dropout.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/core/chosen.hpp"
#include "masksc/dist/collectives.hpp"
#include "methods.hpp"
#include "principal_coordinates.hpp"
#include "ward.hpp"

namespace masksc {
namespace {

constexpr std::int64_t computed_coordinates = 40;  // the rule below rarely looks past the first 20
constexpr std::size_t usual_coordinates = 4;       // when the rule finds none
/// The spread below needs all eigenvalues. Of more cells it isn't computed: the mean gap is at most the largest
/// eigenvalue over their number, far below what the rule calls even.
constexpr Eigen::Index most_for_spread = 2000;

/// CIDR's spread: the mean gap between neighbouring eigenvalues (of the first 90 % of the positive ones), in percent of
/// the mean of the three widest.
double spread_of_gaps(const Eigen::MatrixXd& centred) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(centred, Eigen::EigenvaluesOnly);
  std::vector<double> positive;
  const double zero = 1e-10 * solver.eigenvalues().cwiseAbs().maxCoeff();
  for (const double value : solver.eigenvalues()) {
    if (value > zero) positive.push_back(value);
  }
  std::sort(positive.begin(), positive.end(), std::greater<>());
  positive.resize(std::max<std::size_t>(1, positive.size() * 9 / 10));
  std::vector<double> gaps;
  for (std::size_t i = 1; i < positive.size(); ++i) gaps.push_back(positive[i - 1] - positive[i]);
  if (gaps.empty()) return 100;
  std::sort(gaps.begin(), gaps.end(), std::greater<>());
  const auto mean = [](std::span<const double> some) {
    return std::accumulate(some.begin(), some.end(), 0.0) / static_cast<double>(some.size());
  };
  return 100 * mean(gaps) / mean(std::span(gaps).first(std::min<std::size_t>(3, gaps.size())));
}

/// CIDR's number of coordinates: eigenvalues (descending) fall into runs whose gaps are below a tenth of the widest gap
/// (a fifth when they are spread evenly); the number is where the run before the first long one ends.
std::size_t number_of_coordinates(const std::vector<double>& eigenvalues, double spread) {
  if (spread > 15 || eigenvalues.size() < 2) return std::min(usual_coordinates, eigenvalues.size());
  std::vector<double> gaps;
  for (std::size_t i = 1; i < eigenvalues.size(); ++i) gaps.push_back(eigenvalues[i - 1] - eigenvalues[i]);
  const double narrow = *std::max_element(gaps.begin(), gaps.end()) / (spread > 10 ? 5 : 10);
  std::size_t before = 0;  // eigenvalues in the runs before this one
  std::size_t run = 1;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i] >= narrow) {
      before += run;
      run = 1;
      continue;
    }
    ++run;
    if (run > 7 || (i + 2 > 10 && run > 3))
      return before > 1 ? before : std::min(usual_coordinates, eigenvalues.size());
  }
  return std::min(usual_coordinates, eigenvalues.size());
}

/// CIDR's number of clusters: the sharpest peak of the Calinski-Harabasz index over 3 .. 3 coordinates + 2, or the
/// sharpest later one when that is at least a third as sharp.
std::int64_t number_of_clusters(const std::vector<detail::WardMerge>& merges, std::int64_t coordinates) {
  const std::int64_t most = std::min(3 * coordinates + 3, std::ssize(merges));
  const std::vector<double> index = detail::calinski_harabasz(merges, most);
  std::vector<double> bend;  // second differences, at 3, 4, ... clusters
  for (std::size_t i = 2; i + 1 < index.size(); ++i) bend.push_back(index[i - 1] + index[i + 1] - 2 * index[i]);
  if (bend.empty()) return std::min<std::int64_t>(2, std::ssize(merges) + 1);
  const auto first = std::min_element(bend.begin(), bend.end());
  const auto later = std::min_element(first + 1, bend.end());
  const auto chosen = later != bend.end() && 3 * *later < *first ? later : first;
  return 3 + (chosen - bend.begin());
}

BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  const CsrMatrix tags = detail::log_tags(input.counts, input.totals);
  const auto thresholds = detail::dropout_thresholds(tags, input.totals, settings.poll);
  const double imputed_below = detail::dropout_curve(tags, thresholds).middle;
  Eigen::MatrixXd squared = detail::imputed_dissimilarities(tags, thresholds, imputed_below, settings.poll);
  const auto found = detail::principal_coordinates(squared, computed_coordinates);
  const double spread = squared.rows() <= most_for_spread ? spread_of_gaps(squared) : 0;

  BaselineResult result;
  const auto coordinates = static_cast<std::int64_t>(number_of_coordinates(found.eigenvalues, spread));
  result.features = first_columns(found.coordinates, coordinates);
  const auto merges = detail::ward_merges(result.features, settings.poll);
  const std::unique_ptr<Collectives> alone = single_rank();
  for (std::int64_t clusters : settings.clusters) {
    if (clusters == 0) clusters = number_of_clusters(merges, result.features.columns);
    result.labels.push_back(detail::cut_tree(merges, clusters));
    number_by_size(result.labels.back(), *alone);
  }
  return result;
}

}  // namespace

Baseline cidr_baseline() {
  return {.name = "cidr",
          .title = "CIDR: implicit imputation of dropouts, principal coordinates, Ward's hierarchical clustering",
          .source = "Lin, Troup and Ho 2017, Genome Biology 18:59",
          .stochastic = false,
          .published = {.matrix = "160x160", .patch = "1", .genes = "", .standardize = Standardize::no},  // all genes
          .run = run};
}

}  // namespace masksc
