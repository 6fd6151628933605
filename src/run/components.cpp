#include "masksc/run/components.hpp"

#include <algorithm>

#include "masksc/data/loader.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/model/components.hpp"
#include "masksc/model/one_thread.hpp"

namespace masksc {

DenseMatrix cell_components(const Expression& expression, at::Device device, Collectives& ranks) {
  const Densifier densifier(expression);
  const std::int64_t genes = densifier.width();
  const auto tiles = [&](int threads) {
    return [&expression, &densifier, device, threads](const std::function<void(const Tile&)>& work) {
      for_each_tile(expression, densifier, expression.layout.patch_genes(), device, work, threads);
    };
  };
  const std::int64_t count = std::min(kCellComponents, std::ssize(expression.genes));
  const ComponentAxes axes = component_axes(tiles(1), expression.cells, genes, count, ranks, device);
  DenseMatrix components(expression.rows.size(), count);
  const OneThreadEach each(device.is_cpu());
  together(ranks, [&] {
    tiles(device.is_cpu() ? each.threads() : 1)([&](const Tile& tile) {
      const at::NoGradGuard no_gradient;
      const at::Tensor scores = at::mm(tile.patches.flatten(1) - axes.mean, axes.loadings);
      const at::Tensor used = scores.narrow(0, tile.first_used, tile.rows.size()).cpu().contiguous();
      std::copy_n(used.data_ptr<float>(), used.numel(), components.row(tile.rows.begin - expression.rows.begin).data());
    });
  });
  return components;
}

}  // namespace masksc
