#include "masksc/model/attention.hpp"

#include <gtest/gtest.h>

namespace masksc {
namespace {

/// Output and gradients of a loss, of queries of some tokens on keys and values that are views of one tensor.
std::vector<at::Tensor> course(at::ScalarType type, bool ours) {
  at::manual_seed(3);
  const at::Tensor asking = at::randn({2, 5, 3, 4}).to(type).requires_grad_(true);     // [B, K, H, d]
  const at::Tensor answering = at::randn({2, 7, 6, 4}).to(type).requires_grad_(true);  // keys and values
  const at::Tensor wanted = at::randn({2, 3, 5, 4}).to(type);
  const at::Tensor q = asking.transpose(1, 2);
  const at::Tensor k = answering.narrow(2, 0, 3).transpose(1, 2);
  const at::Tensor v = answering.narrow(2, 3, 3).transpose(1, 2);
  const at::Tensor out = ours ? attention(q, k, v) : at::scaled_dot_product_attention(q, k, v);
  (out * wanted).sum().backward();
  return {out.detach().to(at::kFloat), asking.grad().to(at::kFloat), answering.grad().to(at::kFloat)};
}

TEST(Attention, InBf16IsThatOfFp32) {
  const auto wanted = course(at::kFloat, false);
  const auto found = course(at::kBFloat16, true);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double error = (found[i] - wanted[i]).norm().item<double>() / wanted[i].norm().item<double>();
    EXPECT_LT(error, 0.01) << i;
  }
}

TEST(Attention, InFp32IsLibTorchs) {
  const auto wanted = course(at::kFloat, false);
  const auto found = course(at::kFloat, true);
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(at::equal(found[i], wanted[i]));
}

}  // namespace
}  // namespace masksc
