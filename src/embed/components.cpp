#include "masksc/embed/components.hpp"

#include <algorithm>
#include <utility>

#include "masksc/model/components.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

CellComponents cell_components(const Expression& expression, at::Device device, Collectives& ranks) {
  const Densifier densifier(expression);
  const std::int64_t patch_genes = expression.layout.patch_genes();
  const std::int64_t count = std::min(kCellComponents, std::ssize(expression.genes));
  const std::int64_t every = (expression.cells + kComponentCells - 1) / kComponentCells;
  const ComponentAxes axes = component_axes(
      [&](const TileWork& work) { for_each_tile(expression, densifier, patch_genes, device, work, 1, every); },
      densifier.width(), count, ranks, device);

  DenseMatrix scores(expression.rows.size(), count);
  const OneThreadEach each(device.is_cpu());
  const auto project = [&](const Tile& tile) {
    const at::NoGradGuard no_gradient;
    const at::Tensor found = at::mm(tile.patches.flatten(1) - axes.mean, axes.loadings);
    const at::Tensor used = found.narrow(0, tile.first_used, tile.rows.size()).cpu().contiguous();
    std::copy_n(used.data_ptr<float>(), used.numel(), scores.row(tile.rows.begin - expression.rows.begin).data());
  };
  together(ranks, [&] {
    for_each_tile(expression, densifier, patch_genes, device, project, device.is_cpu() ? each.threads() : 1);
  });
  return {axes.loadings, std::move(scores)};
}

}  // namespace masksc
