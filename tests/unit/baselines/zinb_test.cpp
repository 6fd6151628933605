// The loss of counts and its gradients against scipy and PyTorch (tests/golden/zinb.py).
#include "masksc/baselines/zinb.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"

namespace masksc {
namespace {

using testing::FloatNear;
using testing::Pointwise;

Json golden(const char* part) { return parse_json(read_file(MASKSC_TEST_GOLDEN "/zinb.json")).at(part); }

std::vector<float> values_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel()};
}

TEST(Zinb, LossAndGradientsArePyTorchs) {
  for (const Json& given : golden("zinb")) {
    SCOPED_TRACE(given.at("name").get<std::string>());
    const std::int64_t cells = given.at("cells");
    const std::int64_t genes = given.at("genes");
    const auto head = [&](std::size_t i) {
      return at::tensor(given.at("heads").at(i).get<std::vector<float>>()).view({cells, genes});
    };
    // The cells lie in another order in the counts, between cells that are not asked for.
    const std::vector<std::int64_t> rows = {4, 0, 3, 1};
    CsrMatrix counts;
    counts.rows = 5;
    counts.columns = genes;
    const auto dense = given.at("counts").get<std::vector<float>>();
    for (const std::int64_t from : {1, 3, -1, 2, 0}) {
      for (std::int64_t gene = 0; gene < genes; ++gene) {
        const float value = from < 0 ? 99.0F : dense[static_cast<std::size_t>(from * genes + gene)];
        if (value == 0) continue;
        counts.indices.push_back(static_cast<std::int32_t>(gene));
        counts.values.push_back(value);
      }
      counts.row_start.push_back(static_cast<std::int64_t>(counts.values.size()));
    }
    const auto factors = given.at("factors").get<std::vector<float>>();
    const ZinbResult found = zinb_loss({head(0), head(1), head(2)}, counts, rows, factors, given.at("ridge"));
    EXPECT_NEAR(found.loss, given.at("loss").get<double>(), 1e-5);
    const std::array<at::Tensor, 3> gradients = {found.gradient.mean, found.gradient.theta, found.gradient.dropout};
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_THAT(values_of(gradients[i]),
                  Pointwise(FloatNear(2e-6F), given.at("gradients").at(i).get<std::vector<float>>()))
          << "head " << i;
    }
  }
}

TEST(Zinb, StaysFiniteAtTheEndsOfTheActivations) {
  CsrMatrix counts;
  counts.rows = 1;
  counts.columns = 4;
  counts.indices = {0, 1};
  counts.values = {3, 3000};
  counts.row_start = {0, 2};
  const std::vector<std::int64_t> cells = {0};
  const std::vector<float> factors = {1};
  for (const float end : {-200.0F, -40.0F, 40.0F, 200.0F}) {
    const at::Tensor head = at::full({1, 4}, end);
    const ZinbResult found = zinb_loss({head, head, head}, counts, cells, factors, 1);
    EXPECT_TRUE(std::isfinite(found.loss)) << end;
    for (const at::Tensor& gradient : {found.gradient.mean, found.gradient.theta, found.gradient.dropout})
      EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << end;
  }
}

TEST(Digamma, IsScipys) {
  const Json given = golden("digamma");
  for (std::size_t i = 0; i < given.at("x").size(); ++i) {
    const double value = given.at("value").at(i);
    EXPECT_NEAR(digamma(given.at("x").at(i)), value, 1e-9 * (1 + std::abs(value)));
  }
}

}  // namespace
}  // namespace masksc
