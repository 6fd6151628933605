#include "masksc/model/fused.hpp"

#include <gtest/gtest.h>

#include "masksc/model/block.hpp"
#include "masksc/model/threads.hpp"

namespace masksc {
namespace {

/// A block's answer, and the gradients of its input and of all parameters.
struct Passed {
  at::Tensor answer, input_gradient;
  std::vector<at::Tensor> gradients;  // of each parameter
};

/// A dropout that drops nothing keeps the block from its fused way.
Passed pass(at::ScalarType type, std::optional<std::int64_t> queries, bool cross, bool fused) {
  std::vector<ParameterSpec> specs;
  add_block(specs, "block", 48);
  FlatParameters parameters(std::move(specs), 3, 0, at::kCPU);
  {
    const at::NoGradGuard no_gradient;
    at::manual_seed(2);
    at::Tensor(parameters.values()).add_(at::randn_like(parameters.values()) * 0.05);  // no bias is 0
  }
  parameters.set_working_type(type);
  at::manual_seed(1);
  const at::Tensor x = at::randn({5, 7, 48}).to(type).requires_grad_();
  const at::Tensor memory = at::randn({5, 9, 48}).to(type);
  const at::Tensor upper = at::randn({5, queries.value_or(7), 48}).to(type);
  const BranchDropout none = [](const at::Tensor& branch, int /*part*/) { return branch; };
  const at::Tensor y = cross ? apply_cross_block(parameters, "block", 4, x, memory, fused ? BranchDropout() : none)
                             : apply_block(parameters, "block", 4, x, fused ? BranchDropout() : none, queries);
  (y.to(at::kFloat) * upper).sum().backward();
  Passed passed{y.detach().to(at::kFloat), x.grad().to(at::kFloat), {}};
  for (std::size_t i = 0; i < parameters.specs().size(); ++i)
    passed.gradients.push_back(parameters.part(parameters.gradients(), i).clone());
  return passed;
}

void expect_near(const at::Tensor& found, const at::Tensor& wanted, double error, const char* what) {
  const double largest = wanted.abs().max().item<double>();
  EXPECT_LT((found - wanted).abs().max().item<double>(), error * largest) << what;
}

TEST(Fused, ABlockIsWhatItsOperationsGive) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    if (!has_fused_rows(at::zeros({1, 48}, type))) {
      std::cout << "no kernels for " << type << " here\n";
      continue;
    }
    const double error = type == at::kFloat ? 1e-5 : 0.03;
    for (const auto& [queries, cross] : {std::pair(std::optional<std::int64_t>(), false), {3, false}, {{}, true}}) {
      const Passed found = pass(type, queries, cross, true);
      const Passed wanted = pass(type, queries, cross, false);
      expect_near(found.answer, wanted.answer, error, "answer");
      expect_near(found.input_gradient, wanted.input_gradient, error, "input");
      for (std::size_t i = 0; i < found.gradients.size(); ++i)
        expect_near(found.gradients[i], wanted.gradients[i], error, "parameters");
    }
  }
}

/// Rows that threads share; what comes back to the norm, to the rows themselves, and to both.
void check_norms(at::ScalarType type, double error) {
  at::manual_seed(3);
  const auto leaf = [&](at::IntArrayRef sizes) { return at::randn(sizes).to(type).requires_grad_(); };
  const at::Tensor x = leaf({40, 70, 64}), weight = leaf({64}), bias = leaf({64});
  const at::Tensor upper = at::randn({40, 70, 64}).to(type);
  const auto gradients = [&](const at::Tensor& y) {
    return torch::autograd::grad({(y * upper).to(at::kFloat).sum()}, {x, weight, bias}, {}, {}, false, true);
  };
  // In fp32 even where the numbers are bf16: LibTorch, too, may round on the way.
  const auto wanted = [&](double of_norm, double of_rows) {
    const auto wide = [](const at::Tensor& t) { return t.to(at::kFloat); };
    return gradients(at::layer_norm(wide(x), {64}, wide(weight), wide(bias)) * of_norm + wide(x) * of_rows);
  };
  const int before = compute_threads();
  for (const int threads : {1, 3}) {
    set_compute_threads(threads);
    const NormedStream stream = norm_of(x, weight, bias);
    const auto compare = [&](const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& right) {
      for (std::size_t i = 0; i < 3; ++i)
        expect_near(found[i].to(at::kFloat), right[i].to(at::kFloat), error, "gradient of x, weight, bias");
    };
    compare(gradients(stream.normed * 2 + stream.values), wanted(2, 1));
    compare(gradients(norm_of(x, weight, bias).normed), wanted(1, 0));
    EXPECT_TRUE(at::equal(gradients(norm_of(x, weight, bias).values)[0], upper));
  }
  set_compute_threads(before);
}

TEST(Fused, NormsAreLibTorchsOnAnyNumberOfThreads) {
  if (!has_fused_rows(at::zeros({1, 64}))) GTEST_SKIP() << "no kernels here";
  check_norms(at::kFloat, 1e-5);
  if (has_fused_rows(at::zeros({1, 64}, at::kBFloat16))) check_norms(at::kBFloat16, 0.01);
}

TEST(Fused, RowsOfOtherWidthsAndTypesAreLeftToLibTorch) {
  EXPECT_FALSE(has_fused_rows(at::zeros({4, 40})));
  EXPECT_FALSE(has_fused_rows(at::zeros({0, 64})));
  EXPECT_FALSE(has_fused_rows(at::zeros({4, 64}, at::kDouble)));
}

}  // namespace
}  // namespace masksc
