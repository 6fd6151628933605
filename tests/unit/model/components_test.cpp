// Principal components: against LibTorch's own decomposition, and the same bits on any number of ranks.
#include "masksc/model/components.hpp"

#include <gtest/gtest.h>

namespace masksc {
namespace {

constexpr std::int64_t cells = 150, few_genes = 24, tile = 16;
constexpr std::int64_t many_genes = 600;  // more than ten a component and than a panel: eigenvectors by blocks

/// Values with five strong directions.
at::Tensor values(std::int64_t genes) {
  const at::Generator draw = at::detail::createCPUGenerator(3);
  const at::Tensor strong = at::randn({cells, 5}, draw, at::kFloat) * at::arange(5, 0, -1);
  return at::mm(strong, at::randn({5, genes}, draw, at::kFloat)) / 6 + at::randn({cells, genes}, draw, at::kFloat) / 8 +
         0.5;
}

ComponentAxes axes_over(const at::Tensor& x, int ranks, std::int64_t count) {
  const std::int64_t genes = x.size(1);
  ComponentAxes axes;
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange mine = rows_of_rank(cells, all.rank(), ranks);
    const ComponentAxes found = component_axes(
        [&](const std::function<void(const Tile&)>& work) {
          for (std::int64_t first = 0; first < cells; first += tile) {
            const RowRange rows = {std::max(first, mine.begin), std::min({first + tile, mine.end, cells})};
            if (rows.begin >= rows.end) continue;
            at::Tensor patches = at::zeros({tile, 6, genes / 6});
            patches.narrow(0, rows.begin - first, rows.size())
                .copy_(x.narrow(0, rows.begin, rows.size()).reshape({rows.size(), 6, genes / 6}));
            work({patches, rows.begin - first, rows});
          }
        },
        genes, count, all, at::kCPU);
    if (all.is_root()) axes = found;
  });
  return axes;
}

TEST(Components, AreThoseOfTheCovariance) {
  for (const std::int64_t genes : {few_genes, many_genes}) {
    const at::Tensor x = values(genes);
    const ComponentAxes found = axes_over(x, 1, 5);
    const auto [u, s, v] = at::linalg_svd((x - x.mean(0)).to(at::kDouble), false);
    const at::Tensor cosines = (v.narrow(0, 0, 5).t() * found.loadings.to(at::kDouble)).sum(0).abs();
    EXPECT_GT(cosines.min().item<double>(), 0.9999) << cosines;
    EXPECT_LT((found.loadings.square().sum(0) - 1).abs().max().item<double>(), 1e-5);
    EXPECT_TRUE((found.loadings.gather(0, found.loadings.abs().argmax(0, true)) > 0).all().item<bool>());
    EXPECT_LT((found.mean - x.mean(0)).abs().max().item<double>(), 2e-4) << "values are rounded to 1/4096";
  }
}

TEST(Components, HaveTheSameBitsOnAnyNumberOfRanks) {
  const at::Tensor x = values(many_genes);
  const ComponentAxes one = axes_over(x, 1, 5);
  for (const int ranks : {2, 3, 7}) {
    const ComponentAxes several = axes_over(x, ranks, 5);
    EXPECT_TRUE(at::equal(one.loadings, several.loadings)) << ranks;
    EXPECT_TRUE(at::equal(one.mean, several.mean)) << ranks;
  }
}

TEST(Components, AreOrthonormalWhereCellsHaveFewerDirections) {
  at::Tensor x = at::zeros({cells, many_genes});
  x.select(1, 7).narrow(0, 0, 50).fill_(1);
  x.select(1, 9).narrow(0, 40, 60).fill_(2);
  const at::Tensor found = axes_over(x, 2, 20).loadings;
  EXPECT_LT((at::mm(found.t(), found) - at::eye(20)).abs().max().item<double>(), 1e-5);
  const at::Tensor kept = at::mm(at::mm(x - x.mean(0), found.narrow(1, 0, 2)), found.narrow(1, 0, 2).t());
  EXPECT_LT((kept - (x - x.mean(0))).abs().max().item<double>(), 1e-3) << "two directions hold all";
}

TEST(Components, TakeAsManyAsThereAreGenes) {
  const at::Tensor all = axes_over(values(few_genes), 2, few_genes).loadings;
  EXPECT_LT((at::mm(all.t(), all) - at::eye(few_genes)).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace masksc
