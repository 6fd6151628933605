// Products by oneDNN: values and gradients of LibTorch's own.
#include "masksc/model/products.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace masksc {
namespace {

at::Tensor draw(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::kFloat);
}

/// The answer and the gradients of x, weight and bias (where it is defined) under a fixed gradient of the answer.
template <typename Product>
std::vector<at::Tensor> through(const Product& product, const at::Tensor& x, const at::Tensor& weight,
                                const at::Tensor& bias) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& given : {x, weight, bias})
    leaves.push_back(given.defined() ? given.detach().requires_grad_() : at::Tensor());
  const at::Tensor answer = product(leaves[0], leaves[1], leaves[2]);
  answer.backward(draw(answer.sizes(), 9).to(answer.scalar_type()));
  std::vector<at::Tensor> found = {answer.detach()};
  for (const at::Tensor& leaf : leaves)
    if (leaf.defined()) found.push_back(leaf.grad());
  return found;
}

void expect_same(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected, const std::string& what,
                 double error = 1e-6) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].sizes(), expected[i].sizes()) << what;
    EXPECT_LT((found[i] - expected[i]).norm().item<double>(), error * expected[i].norm().item<double>())
        << what << ", tensor " << i;
  }
}

class Products : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_onednn_linear(at::kFloat))
      GTEST_SKIP() << "this LibTorch has no mkldnn::_linear_pointwise: affine() is at::linear";
  }
};

TEST_F(Products, IsThatOfLibTorch) {
  const at::Tensor x = draw({5, 7, 33}, 1);
  const at::Tensor weight = draw({20, 33}, 2);
  for (const at::Tensor& bias : {draw({20}, 3), at::Tensor()})
    expect_same(
        through(&affine_by_onednn, x, weight, bias),
        through([](const auto& a, const auto& w, const auto& b) { return at::linear(a, w, b); }, x, weight, bias),
        bias.defined() ? "with bias" : "without bias");
}

TEST_F(Products, TakesTransposedAndSlicedMatrices) {
  const at::Tensor x = draw({33, 50}, 1).t();
  const at::Tensor weight = draw({33, 20}, 2).t();
  const auto by_torch = [](const auto& a, const auto& w, const auto& b) { return at::linear(a, w, b); };
  const std::vector<at::Tensor> found = through(&affine_by_onednn, x, weight, {});
  expect_same(found, through(by_torch, x, weight, {}), "transposed");
  EXPECT_EQ(found[2].strides(), weight.strides()) << "the gradient has the weight's layout";
  const at::Tensor wide = draw({50, 80}, 4).narrow(1, 10, 33);
  expect_same(through(&affine_by_onednn, wide, weight, {}), through(by_torch, wide, weight, {}), "sliced");
}

TEST_F(Products, TakesAGradientThatIsOneNumber) {
  const at::Tensor weight = draw({20, 33}, 2).requires_grad_();
  const at::Tensor other = weight.detach().clone().requires_grad_();
  const at::Tensor x = draw({8, 33}, 1);  // has no gradient
  affine_by_onednn(x, weight).sum().backward();
  at::linear(x, other).sum().backward();
  expect_same({weight.grad()}, {other.grad()}, "expanded gradient");
}

at::Tensor in_bf16(const at::Tensor& x) { return x.to(at::kBFloat16); }

TEST_F(Products, AreThoseOfLibTorchInBf16) {
  if (!has_onednn_linear(at::kBFloat16)) GTEST_SKIP() << "oneDNN takes no bf16 on this processor";
  const auto by_torch = [](const auto& a, const auto& w, const auto& b) { return at::linear(a, w, b); };
  const at::Tensor x = in_bf16(draw({5, 7, 33}, 1));
  for (const bool turned : {false, true})
    for (const bool biased : {false, true}) {
      const at::Tensor weight = turned ? in_bf16(draw({33, 20}, 2)).t() : in_bf16(draw({20, 33}, 2));
      const at::Tensor bias = biased ? in_bf16(draw({20}, 3)) : at::Tensor();
      const std::vector<at::Tensor> wanted = through(by_torch, x, weight, bias);
      for (const auto& way : {&affine_by_onednn, &affine}) {
        const std::vector<at::Tensor> found = through(way, x, weight, bias);
        expect_same(found, wanted, turned ? "turned" : "as it is", 0.003);
        EXPECT_EQ(found[2].strides(), weight.strides()) << "the gradient has the weight's layout";
      }
    }
  const at::Tensor weight = in_bf16(draw({20, 33}, 2)).requires_grad_();
  affine_by_onednn(x, weight).sum().backward();  // whose gradient is one number, expanded
  const at::Tensor rows = x.view({-1, 33}).to(at::kFloat).sum(0, true).expand({20, 33});
  expect_same({weight.grad().to(at::kFloat)}, {rows}, "expanded gradient", 0.003);
}

TEST_F(Products, GroupedProductsAreThoseOfMatmul) {
  for (const std::int64_t groups : {1, 3}) {
    const at::Tensor x = draw({3, 6, 33}, 1);
    const at::Tensor weight = draw({groups, 33, 20}, 2);
    const auto ours = [](const auto& a, const auto& w, const auto&) { return grouped_product(a, w); };
    const auto theirs = [](const auto& a, const auto& w, const auto&) { return at::matmul(a, w); };
    expect_same(through(ours, x, weight, {}), through(theirs, x, weight, {}), std::to_string(groups) + " groups");
  }
}

}  // namespace
}  // namespace masksc
