#include "masksc/model/components.hpp"

#include <algorithm>
#include <mutex>

#include "masksc/model/distributed.hpp"
#include "masksc/model/one_thread.hpp"

namespace masksc {
namespace {

constexpr double units = 4096;            // of a value; 65536 products of (16 * 4096)^2 fit the 53 bits of a double
constexpr double largest_value = 16;      // of a gene
constexpr std::int64_t spare = 10;        // directions beyond those wanted, for speed of convergence
constexpr int most_iterations = 200;      // of the subspace
constexpr int check_every = 5;            // iterations
constexpr double as_still = 1e-7;         // relative change of the eigenvalues' sum
constexpr std::uint64_t start_seed = 20;  // of the subspace

/// Sums of x x^T and x over the sampled cells, in units, as whole numbers.
struct Moments {
  at::Tensor products;  // [genes, genes] float64
  at::Tensor sums;      // [genes] float64
  std::int64_t cells = 0;
};

Moments sum_moments(const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                    std::int64_t cells, std::int64_t genes, Collectives& ranks, at::Device device) {
  const std::int64_t every = (cells + kComponentCells - 1) / kComponentCells;
  const auto options = at::TensorOptions(at::kDouble).device(device);
  Moments moments{at::zeros({genes, genes}, options), at::zeros({genes}, options)};
  std::mutex adding;
  together(ranks, [&] {
    for_each_tile([&](const Tile& tile) {
      const at::NoGradGuard no_gradient;
      if ((tile.rows.begin - tile.first_used) / tile.patches.size(0) % every != 0) return;
      const at::Tensor x =
          tile.patches.narrow(0, tile.first_used, tile.rows.size()).reshape({tile.rows.size(), genes}).to(at::kDouble);
      const at::Tensor whole = (x.clamp(-largest_value, largest_value) * units).round();
      const std::lock_guard lock(adding);
      moments.products.addmm_(whole.t(), whole);
      moments.sums += whole.sum(0);
      moments.cells += tile.rows.size();
    });
  });
  all_reduce(ranks, moments.products);
  all_reduce(ranks, moments.sums);
  moments.cells = ranks.all_reduce(moments.cells);
  return moments;
}

/// The first `count` eigenvectors [n, count] of a symmetric matrix of no negative eigenvalues: subspace iteration with
/// Rayleigh and Ritz's last step, the same for the same matrix.
at::Tensor leading_eigenvectors(const at::Tensor& matrix, std::int64_t count) {
  const OneThreadEach each;
  const std::int64_t width = std::min(count + spare, matrix.size(0));
  at::Tensor basis = at::randn({matrix.size(0), width}, at::detail::createCPUGenerator(start_seed), at::kDouble);
  double before = 0;
  for (int i = 0; i < most_iterations; ++i) {
    basis = std::get<0>(at::linalg_qr(basis));
    const at::Tensor image = at::mm(matrix, basis);
    if (i % check_every == 0) {
      const at::Tensor values = at::linalg_eigvalsh(at::mm(basis.t(), image));
      const double now = values.narrow(0, width - count, count).sum().item<double>();
      if (now - before <= as_still * now) break;
      before = now;
    }
    basis = image;
  }
  basis = std::get<0>(at::linalg_qr(basis));
  const auto [values, vectors] = at::linalg_eigh(at::mm(basis.t(), at::mm(matrix, basis)));
  return at::mm(basis, vectors.narrow(1, width - count, count).flip(1));
}

}  // namespace

at::Tensor component_loadings(const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                              std::int64_t cells, std::int64_t genes, std::int64_t count, Collectives& ranks,
                              at::Device device) {
  const at::NoGradGuard no_gradient;
  const Moments moments = sum_moments(for_each_tile, cells, genes, ranks, device);
  at::Tensor loadings = at::zeros({genes, count}, at::kFloat);
  on_root(ranks, [&] {
    const auto n = static_cast<double>(std::max<std::int64_t>(moments.cells, 1));
    const at::Tensor mean = moments.sums.cpu() / n;
    const at::Tensor covariance = (moments.products.cpu() / n - at::outer(mean, mean)) / (units * units);
    const at::Tensor vectors = leading_eigenvectors(covariance, count);
    const at::Tensor largest = vectors.gather(0, vectors.abs().argmax(0, true));
    loadings = (vectors * at::where(largest < 0, -at::ones_like(largest), at::ones_like(largest))).to(at::kFloat);
  });
  loadings = loadings.contiguous();
  broadcast(ranks, loadings);
  return loadings.to(device);
}

DenseMatrix principal_scores(std::span<const float> values, std::int64_t cells, std::int64_t count) {
  const at::NoGradGuard no_gradient;
  const std::int64_t genes = std::ssize(values) / cells;
  const at::Tensor rows = at::from_blob(const_cast<float*>(values.data()), {cells, genes}, at::kFloat);
  const at::Tensor centred = rows - rows.mean(0);
  const auto [squares, vectors] = at::linalg_eigh(at::mm(centred, centred.t()).to(at::kDouble));
  const std::int64_t kept = std::min({count, cells, genes});
  const at::Tensor scale = squares.narrow(0, cells - kept, kept).clamp_min(0).sqrt();
  const at::Tensor scores = (vectors.narrow(1, cells - kept, kept) * scale).flip(1).to(at::kFloat).contiguous();
  DenseMatrix result(cells, kept);
  std::copy_n(scores.data_ptr<float>(), scores.numel(), result.row(0).begin());
  return result;
}

}  // namespace masksc
