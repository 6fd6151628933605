// Principal components: against LibTorch's own decomposition, and the same bits on any number of ranks.
#include "masksc/model/components.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace masksc {
namespace {

constexpr std::int64_t cells = 150, genes = 24, tile = 16;

/// Values with five strong directions.
at::Tensor values() {
  const at::Generator draw = at::detail::createCPUGenerator(3);
  const at::Tensor strong = at::randn({cells, 5}, draw, at::kFloat) * at::arange(5, 0, -1);
  return at::mm(strong, at::randn({5, genes}, draw, at::kFloat)) / 6 + at::randn({cells, genes}, draw, at::kFloat) / 8 +
         0.5;
}

at::Tensor loadings_over(const at::Tensor& x, int ranks, std::int64_t count) {
  at::Tensor loadings;
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange mine = rows_of_rank(cells, all.rank(), ranks);
    const at::Tensor found = component_loadings(
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
        cells, genes, count, all, at::kCPU);
    if (all.is_root()) loadings = found;
  });
  return loadings;
}

TEST(Components, AreThoseOfTheCovariance) {
  const at::Tensor x = values();
  const at::Tensor found = loadings_over(x, 1, 5);
  const auto [u, s, v] = at::linalg_svd((x - x.mean(0)).to(at::kDouble), false);
  const at::Tensor cosines = (v.narrow(0, 0, 5).t() * found.to(at::kDouble)).sum(0).abs();
  EXPECT_GT(cosines.min().item<double>(), 0.9999) << cosines;
  EXPECT_LT((found.square().sum(0) - 1).abs().max().item<double>(), 1e-5);
  EXPECT_TRUE((found.gather(0, found.abs().argmax(0, true)) > 0).all().item<bool>());
}

TEST(Components, HaveTheSameBitsOnAnyNumberOfRanks) {
  const at::Tensor x = values();
  const at::Tensor one = loadings_over(x, 1, 5);
  for (const int ranks : {2, 3, 7}) EXPECT_TRUE(at::equal(one, loadings_over(x, ranks, 5))) << ranks;
}

TEST(Components, OfFewCellsAreTheirProjections) {
  const at::Tensor x = values();
  const DenseMatrix scores = principal_scores({x.contiguous().data_ptr<float>(), cells * genes}, cells, 5);
  ASSERT_EQ(scores.rows, cells);
  ASSERT_EQ(scores.columns, 5);
  const at::Tensor found = at::from_blob(const_cast<float*>(scores.values.data()), {cells, 5}, at::kFloat);
  const at::Tensor centred = (x - x.mean(0)).to(at::kDouble);
  const auto [u, s, v] = at::linalg_svd(centred, false);
  const at::Tensor want = at::mm(centred, v.narrow(0, 0, 5).t());
  EXPECT_LT((found.abs() - want.abs()).abs().max().item<double>(), 1e-4);
  EXPECT_EQ(principal_scores({x.contiguous().data_ptr<float>(), 3 * genes}, 3, 5).columns, 3);
}

TEST(Components, TakeAsManyAsThereAreGenes) {
  const at::Tensor all = loadings_over(values(), 2, genes);
  EXPECT_LT((at::mm(all.t(), all) - at::eye(genes)).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace masksc
