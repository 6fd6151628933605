#include "cidr_dropout.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace masksc::detail {
namespace {

constexpr double few_counts = 3;   // the threshold lies above these counts
constexpr double many_counts = 8;  // and below the mode of what is above these
constexpr std::int64_t most_cells = 2000;
constexpr double tail = 0.1;
constexpr int grid_points = 1024;

double level_of(double counts, double total) { return std::log2(counts / total * 1e6 + 1); }

/// Quantile of sorted values, interpolated as R's default (type 7).
double quantile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// Epanechnikov density of one cell's values over all genes, the zeros included.
class CellDensity {
 public:
  CellDensity(std::span<const float> above_zero, std::int64_t genes)
      : genes_(static_cast<double>(genes)), values_(above_zero.begin(), above_zero.end()) {
    values_.resize(static_cast<std::size_t>(genes), 0.0);
    std::sort(values_.begin(), values_.end());
    bandwidth_ = bandwidth();
    for (const double value : values_) {  // counts are few different numbers
      if (distinct_.empty() || distinct_.back().value != value) distinct_.push_back({value, 0});
      distinct_.back().times += 1;
    }
  }

  [[nodiscard]] double end() const { return values_.back() + 3 * bandwidth_; }

  /// Where on a grid of [from, to] the density is largest (sign 1) or least (-1); the first of equals.
  [[nodiscard]] double extreme(double from, double to, double sign) const {
    double where = from;
    double best = -std::numeric_limits<double>::infinity();
    for (int i = 0; i < grid_points; ++i) {
      const double x = from + (to - from) * i / (grid_points - 1);
      const double density = sign * at(x);
      if (density > best) {
        best = density;
        where = x;
      }
    }
    return where;
  }

 private:
  struct Distinct {
    double value, times;
  };

  /// Silverman's rule (R's bw.nrd0).
  [[nodiscard]] double bandwidth() const {
    const double mean = std::accumulate(values_.begin(), values_.end(), 0.0) / genes_;
    double squares = 0;
    for (const double value : values_) squares += (value - mean) * (value - mean);
    const double deviation = std::sqrt(squares / std::max(genes_ - 1, 1.0));
    double spread = std::min(deviation, (quantile(values_, 0.75) - quantile(values_, 0.25)) / 1.34);
    if (!(spread > 0)) spread = deviation;
    if (!(spread > 0)) spread = 1;
    return 0.9 * spread * std::pow(genes_, -0.2);
  }

  [[nodiscard]] double at(double x) const {
    const double reach = std::sqrt(5.0) * bandwidth_;  // of the kernel whose standard deviation is the bandwidth
    double density = 0;
    auto next = std::lower_bound(distinct_.begin(), distinct_.end(), x - reach,
                                 [](const Distinct& one, double least) { return one.value < least; });
    for (; next != distinct_.end() && next->value <= x + reach; ++next) {
      const double share = (next->value - x) / reach;
      density += next->times * (1 - share * share);
    }
    return density;
  }

  double genes_;
  std::vector<double> values_;  // ascending
  std::vector<Distinct> distinct_;
  double bandwidth_ = 0;
};

/// Cells with counts by descending total (equals in their order), at most 2000.
std::vector<std::size_t> deepest_cells(std::span<const float> totals) {
  std::vector<std::size_t> cells;
  for (std::size_t cell = 0; cell < totals.size(); ++cell) {
    if (totals[cell] > 0) cells.push_back(cell);
  }
  if (std::ssize(cells) <= most_cells) return cells;
  std::stable_sort(cells.begin(), cells.end(), [&](std::size_t a, std::size_t b) { return totals[a] > totals[b]; });
  cells.resize(most_cells);
  return cells;
}

/// Sum of squares of the curve, and the normal equations of its two parameters.
struct Normal {
  double squares = 0;
  Eigen::Matrix2d matrix = Eigen::Matrix2d::Zero();
  Eigen::Vector2d gradient = Eigen::Vector2d::Zero();
};

Normal normal_equations(const DropoutCurve& curve, std::span<const double> levels, std::span<const double> rates) {
  Normal normal;
  for (std::size_t gene = 0; gene < levels.size(); ++gene) {
    const double p = 1 / (1 + std::exp(curve.slope * (levels[gene] - curve.middle)));
    const double residual = rates[gene] - p;
    const Eigen::Vector2d by(-p * (1 - p) * (levels[gene] - curve.middle), p * (1 - p) * curve.slope);
    normal.squares += residual * residual;
    normal.matrix += by * by.transpose();
    normal.gradient += residual * by;
  }
  return normal;
}

/// The values above zero of one gene.
struct GeneValue {
  std::int32_t cell = 0;
  float value = 0;
  float high_square = 0;   // value^2 when it's above what is imputed
  bool candidate = false;  // to be a dropout
};

std::vector<std::vector<GeneValue>> by_gene(const CsrMatrix& tags, std::span<const double> thresholds,
                                            double imputed_below) {
  std::vector<std::vector<GeneValue>> genes(static_cast<std::size_t>(tags.columns));
  for (std::int64_t cell = 0; cell < tags.rows; ++cell) {
    const auto indices = tags.row_indices(cell);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const float value = tags.row_values(cell)[i];
      genes[static_cast<std::size_t>(indices[i])].push_back({static_cast<std::int32_t>(cell), value,
                                                             value > imputed_below ? value * value : 0.0F,
                                                             value < thresholds[static_cast<std::size_t>(cell)]});
    }
  }
  return genes;
}

}  // namespace

CsrMatrix log_tags(const CsrMatrix& counts, std::span<const float> totals) {
  CsrMatrix tags = counts;
  for (std::size_t cell = 0; cell < totals.size(); ++cell) {
    const auto begin = static_cast<std::size_t>(tags.row_start[cell]);
    for (std::size_t i = begin; i < static_cast<std::size_t>(tags.row_start[cell + 1]); ++i)
      tags.values[i] = static_cast<float>(level_of(tags.values[i], totals[cell]));
  }
  return tags;
}

std::vector<double> dropout_thresholds(const CsrMatrix& tags, std::span<const float> totals,
                                       const std::function<void()>& poll) {
  const std::vector<std::size_t> cells = deepest_cells(totals);
  std::vector<double> thresholds(totals.size(), 0.0);
  if (cells.empty()) return thresholds;
  for (const std::size_t cell : cells) {
    poll();
    const CellDensity density(tags.row_values(static_cast<std::int64_t>(cell)), tags.columns);
    const double few = level_of(few_counts, totals[cell]);
    const double many = level_of(many_counts, totals[cell]);
    // A cell without any value that high has no mode there: its candidates are the values below 8 counts.
    const double mode = density.end() > many ? density.extreme(many, density.end(), 1) : many;
    thresholds[cell] = density.extreme(few, mode, -1);
  }
  std::vector<double> sorted;
  for (const std::size_t cell : cells) sorted.push_back(thresholds[cell]);
  std::sort(sorted.begin(), sorted.end());
  if (std::ssize(totals) > most_cells) {
    std::fill(thresholds.begin(), thresholds.end(), quantile(sorted, 0.5));
  } else {
    for (double& threshold : thresholds)
      threshold = std::clamp(threshold, quantile(sorted, tail), quantile(sorted, 1 - tail));
  }
  return thresholds;
}

DropoutCurve fit_dropout_curve(std::span<const double> levels, std::span<const double> rates) {
  DropoutCurve curve;
  if (levels.empty()) return curve;
  std::vector<double> sorted(levels.begin(), levels.end());
  std::sort(sorted.begin(), sorted.end());
  curve.middle = std::round(quantile(sorted, 0.5));
  double damping = 1e-3;
  Normal here = normal_equations(curve, levels, rates);
  for (int iteration = 0; iteration < 200 && damping < 1e12; ++iteration) {
    Eigen::Matrix2d damped = here.matrix;
    damped.diagonal() *= 1 + damping;
    const Eigen::Vector2d step = damped.fullPivLu().solve(here.gradient);
    const DropoutCurve next{curve.slope + step[0], curve.middle + step[1]};
    const Normal there = normal_equations(next, levels, rates);
    if (!(there.squares < here.squares)) {
      damping *= 10;
      continue;
    }
    const bool settled = here.squares - there.squares < 1e-12 * here.squares;
    curve = next;
    here = there;
    damping /= 10;
    if (settled) break;
  }
  return curve;
}

DropoutCurve dropout_curve(const CsrMatrix& tags, std::span<const double> thresholds) {
  std::vector<double> sums(static_cast<std::size_t>(tags.columns));
  std::vector<double> times(sums.size());
  for (std::int64_t cell = 0; cell < tags.rows; ++cell) {
    const auto indices = tags.row_indices(cell);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const float value = tags.row_values(cell)[i];
      if (value < thresholds[static_cast<std::size_t>(cell)]) continue;
      sums[static_cast<std::size_t>(indices[i])] += value;
      times[static_cast<std::size_t>(indices[i])] += 1;
    }
  }
  std::vector<double> levels;
  std::vector<double> rates;
  for (std::size_t gene = 0; gene < sums.size(); ++gene) {
    if (times[gene] == 0) continue;  // candidates everywhere: the gene says nothing
    levels.push_back(sums[gene] / times[gene]);
    rates.push_back(1 - times[gene] / static_cast<double>(tags.rows));
  }
  return fit_dropout_curve(levels, rates);
}

Eigen::MatrixXd imputed_dissimilarities(const CsrMatrix& tags, std::span<const double> thresholds, double imputed_below,
                                        const std::function<void()>& poll) {
  const auto genes = by_gene(tags, thresholds, imputed_below);
  const Eigen::Index cells = tags.rows;
  Eigen::VectorXd alone = Eigen::VectorXd::Zero(cells);  // against a cell without values: zero may be a dropout
  for (const auto& gene : genes) {
    for (const GeneValue& one : gene) alone[one.cell] += one.high_square;
  }
  const auto threshold = static_cast<float>(imputed_below);
  Eigen::MatrixXd squared(cells, cells);
  Eigen::VectorXd row(cells);
  std::vector<std::size_t> done(genes.size(), 0);  // per gene: how many of its cells come before this one
  for (Eigen::Index cell = 0; cell < cells; ++cell) {
    poll();
    row.setZero();
    for (const std::int32_t index : tags.row_indices(cell)) {
      const auto& gene = genes[static_cast<std::size_t>(index)];
      const std::size_t before = done[static_cast<std::size_t>(index)]++;
      const GeneValue one = gene[before];
      for (std::size_t i = 0; i < before; ++i) {
        const GeneValue& other = gene[i];
        const bool counted = (!one.candidate && !other.candidate) || std::max(one.value, other.value) > threshold;
        const float difference = one.value - other.value;
        const float change = difference * difference - one.high_square - other.high_square;
        row[other.cell] += counted ? change : 0.0F;
      }
    }
    for (Eigen::Index other = 0; other < cell; ++other) {
      squared(other, cell) = std::max(0.0, row[other] + alone[cell] + alone[other]);
      squared(cell, other) = squared(other, cell);
    }
    squared(cell, cell) = 0;
  }
  return squared;
}

}  // namespace masksc::detail
