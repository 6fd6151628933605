#include "masksc/model/attention.hpp"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include "../../../src/model/cpu_attention.hpp"

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
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(at::allclose(found[i], wanted[i], 1e-5, 1e-6)) << i;
}

/// Output and gradient of packed queries, keys and values, split by autograd or by self_attention.
std::vector<at::Tensor> packed_course(at::ScalarType type, bool at_once) {
  at::manual_seed(4);
  const at::Tensor packed = at::randn({2, 19, 3 * 6 * 10}).to(type).requires_grad_(true);
  const at::Tensor wanted = at::randn({2, 6, 19, 10}).to(type);
  const std::vector<at::Tensor> qkv = split_heads(packed, 3, 6);
  const at::Tensor out = at_once ? self_attention(packed, 6) : attention(qkv[0], qkv[1], qkv[2]);
  (out * wanted).sum().backward();
  return {out.detach(), packed.grad()};
}

TEST(Attention, OfPackedTokensIsThatOfTheirParts) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const auto wanted = packed_course(type, false);
    const auto found = packed_course(type, true);
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(at::equal(found[i], wanted[i])) << type << ' ' << i;
  }
}

TEST(Attention, ByHeadsHasTheSameBitsOnMoreThreads) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    if (const at::Tensor any = at::ones({1, 1, 1, 1}).to(type); !goes_by_heads(any, any)) continue;
    const auto wanted = course(type, true);
    const int before = at::get_num_threads();
    at::set_num_threads(3);
    const auto found = course(type, true);
    at::set_num_threads(before);
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(at::equal(found[i], wanted[i])) << type << ' ' << i;
  }
}

TEST(Attention, KeepsItsWeightsWhereItIsMadeOfProducts) {
  EXPECT_FALSE(keeps_attention_weights(at::kFloat));
  EXPECT_FALSE(keeps_attention_weights(at::kHalf));
  const at::Tensor x = at::ones({1, 1, 1, 1}, at::kBFloat16).requires_grad_(true);
  const std::string by = attention(x, x, x).grad_fn()->name();
  EXPECT_EQ(keeps_attention_weights(at::kBFloat16), by.find("ProductAttention") != std::string::npos) << by;
}

/// Columns that are not beside each other, a gradient that is one number everywhere, and nothing at all.
TEST(Attention, OfAnyLayout) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::randn({2, 3, 4, 9}).to(type).transpose(2, 3);
    const at::Tensor turned = x.detach().requires_grad_(true);
    const at::Tensor straight = x.to(at::kFloat).contiguous().detach().requires_grad_(true);
    attention(turned, turned, turned).sum().backward();
    at::scaled_dot_product_attention(straight, straight, straight).sum().backward();
    const double error = type == at::kFloat ? 1e-5 : 0.05;
    EXPECT_TRUE(at::allclose(turned.grad().to(at::kFloat), straight.grad(), error, error)) << type;
    const at::Tensor none = at::empty({0, 3, 4, 9}, x.options());
    EXPECT_EQ(attention(none, none, none).sizes(), none.sizes());
  }
}

}  // namespace
}  // namespace masksc
