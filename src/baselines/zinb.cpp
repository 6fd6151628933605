#include "masksc/baselines/zinb.hpp"

#include <cmath>
#include <vector>

namespace masksc {
namespace {

constexpr double least_mean = 1e-5;
constexpr double most_mean = 1e6;
constexpr double least_theta = 1e-4;
constexpr double most_theta = 1e4;
constexpr double most_factors = 16;  // counts up to here: gamma(x + theta) / gamma(theta) as a product

/// log gamma(x); std::lgamma writes a global, which threads would share.
double log_gamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

/// log gamma(x + theta) - log gamma(theta), and its derivative by theta.
struct Rising {
  double value = 0;
  double derivative = 0;
};

Rising rising(double x, double theta) {
  if (x > most_factors || x != std::floor(x))
    return {log_gamma(x + theta) - log_gamma(theta), digamma(x + theta) - digamma(theta)};
  double product = 1;
  Rising result;
  for (double i = 0; i < x; ++i) {
    product *= theta + i;
    result.derivative += 1 / (theta + i);
  }
  result.value = std::log(product);
  return result;
}

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Where value lies strictly within its clamp, its gradient passes.
at::Tensor passes(const at::Tensor& value, double least, double most) {
  return at::logical_and(value > least, value < most);
}

/// What the counts above zero need of a row: [genes] each.
struct Row {
  const float* mean;  // m * size factor
  const float* theta;
  const float* log_p;    // log(theta / (theta + mean))
  const float* dropout;  // before its activation
  float* by_mean;        // gradients, as if all counts were zero, to be put right
  float* by_theta;
  float* by_dropout;
};

/// Puts right the gradients of one cell's counts above zero; returns what to add to the loss as if they were zero.
double correct_counts(const Row& row, std::span<const std::int32_t> genes, std::span<const float> values) {
  double change = 0;
  for (std::size_t i = 0; i < genes.size(); ++i) {
    if (!(values[i] > 0)) continue;
    const auto gene = static_cast<std::size_t>(genes[i]);
    const double x = values[i];
    const double mean = row.mean[gene];
    const double theta = row.theta[gene];
    const double log_p = row.log_p[gene];
    const double dropout = row.dropout[gene];
    const Rising gammas = rising(x, theta);
    change += softplus(dropout - theta * log_p) - gammas.value + log_gamma(x + 1) -
              x * (std::log(mean) - std::log(theta) + log_p);
    const double sum = theta + mean;
    row.by_mean[gene] = static_cast<float>(theta * (mean - x) / sum);
    row.by_theta[gene] = static_cast<float>(-(log_p + (mean - x) / sum) - gammas.derivative);
    row.by_dropout[gene] = static_cast<float>(1 / (1 + std::exp(-dropout)));
  }
  return change;
}

}  // namespace

double digamma(double x) {
  double below = 0;
  for (; x < 8; ++x) below += 1 / x;
  const double inverse = 1 / (x * x);
  return std::log(x) - 0.5 / x -
         inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse * (1.0 / 252 - inverse * (1.0 / 240 - inverse / 132)))) -
         below;
}

ZinbResult zinb_loss(const ZinbHeads& heads, const CsrMatrix& counts, std::span<const std::int64_t> cells,
                     std::span<const float> size_factors, double ridge) {
  const at::NoGradGuard no_gradient;
  const std::int64_t rows = heads.mean.size(0);
  const std::int64_t genes = heads.mean.size(1);
  const at::Tensor factors = at::empty({rows, 1}, at::kFloat);
  std::copy(size_factors.begin(), size_factors.end(), factors.data_ptr<float>());

  // With log_p = log(theta / (theta + mean)) and z = dropout - theta * log_p (the log odds that a zero is technical):
  // -log ZINB(0) = softplus(dropout) - theta * log_p - softplus(z).
  const at::Tensor unscaled = at::exp(heads.mean).clamp_(least_mean, most_mean);
  const at::Tensor mean = unscaled * factors;
  const at::Tensor theta = at::softplus(heads.theta).clamp_(least_theta, most_theta);
  const at::Tensor log_p = at::log1p(mean / theta).neg_();
  const at::Tensor theta_log_p = theta * log_p;
  const at::Tensor z = heads.dropout - theta_log_p;
  const at::Tensor pi = at::sigmoid(heads.dropout);
  const at::Tensor technical = at::sigmoid(z);
  const at::Tensor per_count = at::softplus(heads.dropout).sub_(theta_log_p).sub_(at::softplus(z));
  if (ridge > 0) per_count.add_(at::square(pi), ridge);
  double loss = per_count.sum(at::kDouble).item<double>();

  ZinbResult result;
  const at::Tensor sampled = 1 - technical;
  const at::Tensor share = mean / (mean + theta);
  result.gradient.mean = sampled * theta * share;  // by the mean before its exp
  result.gradient.theta = (log_p + share).mul_(sampled).neg_();
  result.gradient.dropout = pi - technical;
  std::vector<double> changes(static_cast<std::size_t>(rows));
  at::parallel_for(0, rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto part = [&](const at::Tensor& tensor) { return tensor.data_ptr<float>() + row * genes; };
      const Row pointers{part(mean),
                         part(theta),
                         part(log_p),
                         part(heads.dropout),
                         part(result.gradient.mean),
                         part(result.gradient.theta),
                         part(result.gradient.dropout)};
      const std::int64_t cell = cells[static_cast<std::size_t>(row)];
      changes[static_cast<std::size_t>(row)] =
          correct_counts(pointers, counts.row_indices(cell), counts.row_values(cell));
    }
  });
  for (const double change : changes) loss += change;

  result.gradient.mean.mul_(passes(unscaled, least_mean, most_mean));
  result.gradient.theta.mul_(at::sigmoid(heads.theta)).mul_(passes(theta, least_theta, most_theta));
  if (ridge > 0) result.gradient.dropout.add_(at::square(pi).mul_(1 - pi), 2 * ridge);
  const double entries = static_cast<double>(rows) * static_cast<double>(genes);
  for (const at::Tensor& gradient : {result.gradient.mean, result.gradient.theta, result.gradient.dropout})
    gradient.div_(entries);
  result.loss = loss / entries;
  return result;
}

}  // namespace masksc
