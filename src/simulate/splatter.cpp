#include "masksc/simulate/splatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/simulate/draws.hpp"
#include "streams.hpp"

namespace masksc {
namespace {

std::uint64_t seed_of(const SimulationSettings& settings) { return static_cast<std::uint64_t>(settings.seed); }

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// Means of the genes and their own variation around the trend.
void draw_genes(const SimulationSettings& settings, SimulatedGenes& genes) {
  std::vector<double> outlier_factors;
  for (std::int64_t gene = 0; gene < settings.genes; ++gene) {
    RandomStream random =
        simulation_stream(seed_of(settings), SimulationStream::gene, static_cast<std::uint64_t>(gene));
    genes.mean.push_back(draw_gamma(random, settings.mean_shape) / settings.mean_rate);
    const bool outlier = random.uniform() < settings.outlier_probability;
    outlier_factors.push_back(outlier ? draw_log_normal(random, settings.outlier_location, settings.outlier_scale) : 0);
    genes.variation.push_back(std::sqrt(settings.bcv_degrees / draw_chi_square(random, settings.bcv_degrees)));
  }
  const double median = median_of(genes.mean);
  for (std::size_t gene = 0; gene < outlier_factors.size(); ++gene)
    if (outlier_factors[gene] > 0) genes.mean[gene] = median * outlier_factors[gene];
}

/// Splatter's getLNormFactors: a log-normal factor, turned upside down for a gene that is lower in the group.
double draw_factor(const SimulationSettings& settings, std::uint32_t group, std::uint64_t gene) {
  RandomStream random = simulation_stream(seed_of(settings), SimulationStream::factor, gene, group);
  if (random.uniform() >= settings.de_probability) return 1;
  const bool down = random.uniform() < settings.de_down_probability;
  const double factor = draw_log_normal(random, settings.de_location, settings.de_scale);
  return down == (factor < 1) ? factor : 1 / factor;
}

void draw_groups(const SimulationSettings& settings, SimulatedGenes& genes) {
  for (std::int64_t group = 0; group < genes.plan.groups(); ++group) {
    const std::size_t first = genes.shares.size();
    for (std::size_t gene = 0; gene < genes.mean.size(); ++gene) {
      genes.factors.push_back(draw_factor(settings, static_cast<std::uint32_t>(group), gene));
      genes.shares.push_back(genes.mean[gene] * genes.factors.back());
    }
    const auto begin = genes.shares.begin() + static_cast<std::ptrdiff_t>(first);
    const double total = std::accumulate(begin, genes.shares.end(), 0.0);
    std::for_each(begin, genes.shares.end(), [total](double& share) { share /= total; });
  }
}

/// Counts of one gene in one cell whose expected value is `mean` before variation between cells.
std::int64_t draw_count(const SimulationSettings& settings, double mean, double variation, RandomStream& random) {
  if (!(mean > 0)) return 0;
  const double bcv = (settings.bcv + 1 / std::sqrt(mean)) * variation;
  const double square = bcv * bcv;
  const double rate = draw_gamma(random, 1 / square) * mean * square;
  constexpr double most = 1e9;  // far beyond any sequencer
  if (!(rate < most))
    throw UserError(
        fmt::format("an expected count of {:.3g} came up, more than {:.0e}: take a smaller --library-location or "
                    "--library-scale, a larger --bcv-degrees, or means that vary less (--mean-shape)",
                    rate, most));
  const std::int64_t count = draw_poisson(random, rate);
  if (count == 0 || settings.dropout == Dropout::none) return count;
  const double lost =
      1 / (1 + std::exp(-settings.dropout_shape * (std::log(rate) - settings.dropout_mid)));  // logistic
  return random.uniform() < lost ? 0 : count;
}

void append_cell(const SimulationSettings& settings, const SimulatedGenes& genes, std::int64_t cell, std::int32_t group,
                 CsrMatrix& counts) {
  RandomStream random = simulation_stream(seed_of(settings), SimulationStream::cell, static_cast<std::uint64_t>(cell));
  const double total = draw_log_normal(random, settings.library_location, settings.library_scale);
  const double* shares = genes.shares.data() + group * settings.genes;
  for (std::int64_t gene = 0; gene < settings.genes; ++gene) {
    const std::int64_t count =
        draw_count(settings, shares[gene] * total, genes.variation[static_cast<std::size_t>(gene)], random);
    if (count == 0) continue;
    counts.indices.push_back(static_cast<std::int32_t>(gene));
    counts.values.push_back(static_cast<float>(count));
  }
  counts.row_start.push_back(static_cast<std::int64_t>(counts.indices.size()));
}

}  // namespace

SimulatedGenes simulate_genes(const SimulationSettings& settings) {
  SimulatedGenes genes;
  genes.plan = plan_groups(settings.groups, settings.cells);
  draw_genes(settings, genes);
  draw_groups(settings, genes);
  return genes;
}

CsrMatrix simulate_cells(const SimulationSettings& settings, const SimulatedGenes& genes, RowRange rows,
                         std::vector<std::int32_t>* groups) {
  ensure(rows.begin >= 0 && rows.begin <= rows.end && rows.end <= settings.cells, "simulate_cells: no such rows");
  CsrMatrix counts;
  counts.rows = rows.size();
  counts.columns = settings.genes;
  if (groups != nullptr) groups->clear();
  for (std::int64_t cell = rows.begin; cell < rows.end; ++cell) {
    const std::int32_t group = group_of(genes.plan, cell, settings.cells, seed_of(settings));
    append_cell(settings, genes, cell, group, counts);
    if (groups != nullptr) groups->push_back(group);
  }
  return counts;
}

}  // namespace masksc
