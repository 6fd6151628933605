#include "neural.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"
#include "masksc/model/products.hpp"

namespace masksc {
namespace {

constexpr std::int64_t block_rows = 1024;  // of cells that are encoded together

/// Calls use(i, word) for `words` random numbers of 32 bits of each row's own stream, all rows at a time.
template <typename Use>
void draw_rows(std::int64_t words, const NoiseKey& key, std::uint32_t layer, const Use& use) {
  at::parallel_for(0, std::ssize(key.cells), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto cell = static_cast<std::uint64_t>(key.cells[static_cast<std::size_t>(row)]);
      const RandomStream random(key.seed, Purpose::noise, key.epoch, cell, layer);
      for (std::int64_t i = 0; i < words; i += 4) {
        const PhiloxBlock lanes = random.block(static_cast<std::uint32_t>(i / 4));
        for (std::int64_t lane = 0; lane < std::min<std::int64_t>(4, words - i); ++lane)
          use(row, i + lane, lanes[static_cast<std::size_t>(lane)]);
      }
    }
  });
}

}  // namespace

std::int64_t TrainingLength::epochs_of(std::int64_t steps) const {
  return std::min(epochs, std::max(least_epochs, most_steps / std::max<std::int64_t>(steps, 1)));
}

at::Tensor CellRows::of(std::span<const std::int64_t> cells) const {
  const at::Tensor dense = at::empty({std::ssize(cells), width()}, at::kFloat);
  const auto columns = static_cast<std::size_t>(width());
  for (std::size_t i = 0; i < cells.size(); ++i)
    densifier_.fill(expression_.values.row_indices(cells[i]), expression_.values.row_values(cells[i]),
                    {dense.data_ptr<float>() + i * columns, columns});
  return dense;
}

std::vector<std::int64_t> all_cells(std::int64_t cells) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(cells));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

std::vector<float> size_factors(std::span<const float> totals) {
  std::vector<float> factors(totals.begin(), totals.end());
  if (factors.empty()) return factors;
  const auto middle = factors.begin() + std::ssize(factors) / 2;
  std::nth_element(factors.begin(), middle, factors.end());
  const float median = std::max(*middle, 1e-6F);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = std::max(totals[i] / median, 1e-6F);
  return factors;
}

std::vector<float> gather(std::span<const float> values, std::span<const std::int64_t> cells) {
  std::vector<float> chosen;
  chosen.reserve(cells.size());
  for (const std::int64_t cell : cells) chosen.push_back(values[static_cast<std::size_t>(cell)]);
  return chosen;
}

void for_each_batch(std::vector<std::int64_t> cells, std::int64_t batch_size, std::uint64_t seed, std::uint32_t epoch,
                    const std::function<void()>& poll, const std::function<void(std::span<const std::int64_t>)>& step) {
  const std::vector<std::int64_t> order = random_permutation(std::ssize(cells), seed, Purpose::permutation, epoch);
  std::vector<std::int64_t> shuffled;
  shuffled.reserve(cells.size());
  for (const std::int64_t position : order) shuffled.push_back(cells[static_cast<std::size_t>(position)]);
  const BatchPlan plan(std::ssize(cells), batch_size);
  for (std::int64_t i = 0; i < plan.steps; ++i) {
    poll();
    const RowRange batch = plan.batch(i);
    step(std::span(shuffled).subspan(static_cast<std::size_t>(batch.begin), static_cast<std::size_t>(batch.size())));
  }
}

at::Tensor gaussian_noise(std::int64_t width, const NoiseKey& key, std::uint32_t layer) {
  // Box-Muller: a radius and an angle make two numbers. Uniform in (0, 1] with 24 bits.
  const std::int64_t pairs = (width + 1) / 2;
  const at::Tensor uniform = at::empty({2, std::ssize(key.cells), pairs}, at::kFloat);
  float* const radius = uniform.data_ptr<float>();
  float* const angle = radius + std::ssize(key.cells) * pairs;
  draw_rows(2 * pairs, key, layer, [&](std::int64_t row, std::int64_t i, std::uint32_t word) {
    ((i & 1) == 0 ? radius : angle)[row * pairs + i / 2] = (static_cast<float>(word >> 8) + 0.5F) * 0x1.0p-24F;
  });
  uniform[0].log_().mul_(-2).sqrt_();
  uniform[1].mul_(2 * std::numbers::pi);
  const at::Tensor noise = at::cat({at::cos(uniform[1]).mul_(uniform[0]), at::sin(uniform[1]).mul_(uniform[0])}, 1);
  return noise.narrow(1, 0, width);
}

at::Tensor coin_flips(std::int64_t width, double share, const NoiseKey& key, std::uint32_t layer) {
  const at::Tensor flips = at::empty({std::ssize(key.cells), width}, at::kFloat);
  float* const out = flips.data_ptr<float>();
  const auto threshold = static_cast<std::uint64_t>(share * 0x1.0p32);
  draw_rows(width, key, layer, [&](std::int64_t row, std::int64_t i, std::uint32_t word) {
    out[row * width + i] = word < threshold ? 1.0F : 0.0F;
  });
  return flips;
}

void add_glorot_linear(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t in, std::int64_t out) {
  const double bound = std::sqrt(6 / static_cast<double>(in + out));
  specs.push_back({name + ".weight", {out, in}, Initial::uniform(bound), true});
  specs.push_back({name + ".bias", {out}, Initial::zeros(), false});
}

at::Tensor linear(const FlatParameters& parameters, const std::string& name, const at::Tensor& x) {
  return affine(x, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
}

DenseMatrix features_of_all(const CellRows& rows, const std::function<void()>& poll,
                            const std::function<at::Tensor(const at::Tensor&)>& encode) {
  const at::NoGradGuard no_gradient;
  const std::vector<std::int64_t> cells = all_cells(rows.cells());
  DenseMatrix features;
  features.rows = rows.cells();
  for (std::int64_t first = 0; first < rows.cells(); first += block_rows) {
    poll();
    const auto size = static_cast<std::size_t>(std::min(block_rows, rows.cells() - first));
    const at::Tensor answers = encode(rows.of(std::span(cells).subspan(static_cast<std::size_t>(first), size)));
    const at::Tensor host = answers.contiguous();
    features.columns = host.size(1);
    features.values.insert(features.values.end(), host.data_ptr<float>(), host.data_ptr<float>() + host.numel());
  }
  return features;
}

void check_loss(double loss, const std::string& method, std::int64_t epoch) {
  if (std::isfinite(loss)) return;
  throw UserError(fmt::format(
      "the loss of {} is not finite in epoch {}: its training diverges on this data; leave it out of --methods, or try "
      "another --seed or preparation",
      method, epoch + 1));
}

}  // namespace masksc
