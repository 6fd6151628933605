#include "masksc/run/components.hpp"

#include <algorithm>
#include <utility>

#include "masksc/cluster/groups.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/model/components.hpp"
#include "masksc/model/threads.hpp"

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

DealtSample judged_components(const CellComponents& components, const Expression& expression, std::uint64_t seed) {
  DealtSample judged = take_rows(DealtRows{components.scores, expression.rows, expression.cells},
                                 sample_rows(expression.cells, kJudgedCells, seed));
  const DenseMatrix& all = judged.local;
  DenseMatrix first(all.rows, std::min(all.columns, kJudgedComponents));
  for (std::int64_t row = 0; row < first.rows; ++row)
    std::copy_n(all.row(row).begin(), first.columns, first.row(row).begin());
  judged.local = std::move(first);
  return judged;
}

}  // namespace masksc
