#include "masksc/model/components.hpp"

#include <algorithm>
#include <vector>

#include "masksc/dist/root_work.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/model/threads.hpp"

namespace masksc {
namespace {

constexpr double units = 4096;                // of a value; 2^21 products of (16 * 4096)^2 fit the 53 bits of a double
constexpr double largest_value = 16;          // of a gene
constexpr std::int64_t panel_genes = 512;     // columns that are multiplied at once
constexpr std::int64_t directions_each = 10;  // of the space that eigenvectors are sought in, for each that is wanted
constexpr std::int64_t block_width = 20;      // directions that the space grows by
constexpr std::uint64_t start_seed = 20;      // of the first block

/// work(first, width) for each panel of columns. Of a symmetric matrix those rows are computed that end with the
/// panel's own.
void for_each_panel(std::int64_t genes, const std::function<void(std::int64_t first, std::int64_t width)>& work) {
  for (std::int64_t first = 0; first < genes; first += panel_genes) work(first, std::min(panel_genes, genes - first));
}

/// Sums of x x^T and x over the sampled cells, in units, as whole numbers.
struct Moments {
  at::Tensor products;  // [genes, genes] float64; nothing below the panels of the diagonal
  at::Tensor sums;      // [genes] float64
  std::int64_t cells = 0;
};

Moments sum_moments(const ForEachTile& for_each_tile, std::int64_t genes, Collectives& ranks, at::Device device) {
  const auto options = at::TensorOptions(at::kDouble).device(device);
  Moments moments{at::zeros({genes, genes}, options), at::zeros({genes}, options)};
  together(ranks, [&] {
    for_each_tile([&](const Tile& tile) {
      const at::NoGradGuard no_gradient;
      const at::Tensor x =
          tile.patches.narrow(0, tile.first_used, tile.rows.size()).reshape({tile.rows.size(), genes}).to(at::kDouble);
      const at::Tensor whole = (x.clamp(-largest_value, largest_value) * units).round();
      for_each_panel(genes, [&](std::int64_t first, std::int64_t width) {
        moments.products.narrow(0, 0, first + width)
            .narrow(1, first, width)
            .addmm_(whole.narrow(1, 0, first + width).t(), whole.narrow(1, first, width));
      });
      moments.sums += whole.sum(0);
      moments.cells += tile.rows.size();
    });
  });
  all_reduce(ranks, moments.products);
  all_reduce(ranks, moments.sums);
  moments.cells = ranks.all_reduce(moments.cells);
  return moments;
}

/// The covariance, in the room of the products.
at::Tensor covariance_of(const at::Tensor& products, const at::Tensor& mean, std::int64_t cells) {
  for_each_panel(products.size(0), [&](std::int64_t first, std::int64_t width) {
    products.narrow(0, first, width)
        .narrow(1, 0, first)
        .copy_(products.narrow(0, 0, first).narrow(1, first, width).t());
  });
  return products.div_(static_cast<double>(cells)).addr_(mean, mean, 1, -1).div_(units * units);
}

/// `columns` made orthogonal to all blocks of `basis`, and orthonormal: twice, as rounding undoes the first time what
/// is nearly in the basis.
at::Tensor orthonormal_to(const std::vector<at::Tensor>& basis, at::Tensor columns) {
  for (int time = 0; time < 2; ++time) {
    for (const at::Tensor& block : basis) columns = columns - at::mm(block, at::mm(block.t(), columns));
    columns = std::get<0>(at::linalg_qr(columns));
  }
  return columns;
}

/// The first `count` eigenvectors [n, count] of a symmetric matrix of no negative eigenvalues: the best in a block
/// Krylov space of 10 * count directions (Musco and Musco 2015), the same for the same matrix.
at::Tensor leading_eigenvectors(const at::Tensor& matrix, std::int64_t count) {
  const OneThreadEach each;
  const std::int64_t n = matrix.size(0);
  const auto first = [count](const at::Tensor& ascending) {
    return ascending.narrow(1, ascending.size(1) - count, count).flip(1);
  };
  if (n <= directions_each * count) return first(std::get<1>(at::linalg_eigh(matrix)));
  const at::Generator draw = at::detail::createCPUGenerator(start_seed);
  std::vector<at::Tensor> blocks = {orthonormal_to({}, at::randn({n, block_width}, draw, at::kDouble))};
  while (std::ssize(blocks) * block_width < directions_each * count)
    blocks.push_back(orthonormal_to(blocks, at::mm(matrix, blocks.back())));
  const at::Tensor basis = at::cat(blocks, 1);
  return at::mm(basis, first(std::get<1>(at::linalg_eigh(at::mm(basis.t(), at::mm(matrix, basis))))));
}

}  // namespace

ComponentAxes component_axes(const ForEachTile& for_each_tile, std::int64_t genes, std::int64_t count,
                             Collectives& ranks, at::Device device) {
  const at::NoGradGuard no_gradient;
  release_kept_memory();  // that of training is of no use for one large matrix
  Moments moments = sum_moments(for_each_tile, genes, ranks, device);
  ComponentAxes axes{at::zeros({genes}, at::kFloat), at::zeros({genes, count}, at::kFloat)};
  on_root_alone(ranks, [&] {
    const std::int64_t cells = std::max<std::int64_t>(moments.cells, 1);
    const at::Tensor mean = moments.sums.cpu() / static_cast<double>(cells);
    const at::Tensor vectors = leading_eigenvectors(covariance_of(moments.products.cpu(), mean, cells), count);
    const at::Tensor largest = vectors.gather(0, vectors.abs().argmax(0, true));
    axes.mean.copy_(mean / units);
    axes.loadings.copy_(vectors * at::where(largest < 0, -at::ones_like(largest), at::ones_like(largest)));
  });
  moments = {};
  release_kept_memory();
  broadcast(ranks, axes.mean);
  broadcast(ranks, axes.loadings);
  return {axes.mean.to(device), axes.loadings.to(device)};
}

}  // namespace masksc
