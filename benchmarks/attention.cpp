// Times attention on one core: LibTorch's fused one, plain products, and ours; forward and backward, in fp32 and bf16,
// 16 cells of 6 heads.
//
//   benchmark_attention
//
// Prints GFLOP/s (two products forward, four backward: the one that is done again there is not counted) and how many
// times faster ours is than the better of the others, forward and backward together; the best of nine, all in turn.
// "ours" is what a block takes on this processor: of a type for which it has no kernel LibTorch's, or products.
#include "masksc/model/attention.hpp"

#include <ATen/Version.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "masksc/model/host_memory.hpp"

namespace {

constexpr std::int64_t cell_count = 16;
constexpr std::int64_t head_count = 6;

/// Of packed [B, T, 3 * D].
using Attention = at::Tensor (*)(const at::Tensor&, std::int64_t heads);

at::Tensor fused(const at::Tensor& packed, std::int64_t heads) {
  const std::vector<at::Tensor> qkv = masksc::split_heads(packed, 3, heads);
  return at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
}
at::Tensor products(const at::Tensor& packed, std::int64_t heads) {
  const std::vector<at::Tensor> qkv = masksc::split_heads(packed, 3, heads);
  return at::matmul(masksc::attention_weights(qkv[0], qkv[1]), qkv[2]);
}

struct Seconds {
  double forward = std::numeric_limits<double>::infinity();
  double backward = forward;
  [[nodiscard]] double both() const { return forward + backward; }
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void time_once(Attention attention, const at::Tensor& packed, Seconds& best) {
  packed.mutable_grad().reset();
  const double begin = now();
  const at::Tensor output = attention(packed, head_count);
  best.forward = std::min(best.forward, now() - begin);
  const at::Tensor gradient = at::randn_like(output);
  const double back = now();
  output.backward(gradient);
  best.backward = std::min(best.backward, now() - back);
}

void print_row(const char* type, std::int64_t tokens, std::int64_t dim, const at::Tensor& packed) {
  Seconds theirs, plain, ours;
  for (int i = 0; i < 9; ++i) {
    time_once(&fused, packed, theirs);
    time_once(&products, packed, plain);
    time_once(&masksc::self_attention, packed, ours);
  }
  const double giga = 4e-9 * static_cast<double>(cell_count * head_count * tokens * tokens * dim);
  const auto rates = [&](const Seconds& s) {
    return fmt::format("{:.0f} | {:.0f}", giga / s.forward, 2 * giga / s.backward);
  };
  fmt::print("| {} | {} | {} | {} | {} | {} | {:.2f} |\n", type, tokens, dim, rates(theirs), rates(plain), rates(ours),
             std::min(theirs.both(), plain.both()) / ours.both());
}

}  // namespace

int main() {
  at::set_num_threads(1);
  masksc::use_training_allocator();
  fmt::print("LibTorch's kernels here: {}\n\n", at::get_cpu_capability());
  fmt::print(
      "| type | tokens | dim of a head | fused: forward | backward | products: forward | backward | ours: forward | "
      "backward | times faster |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, type] : {std::pair("fp32", at::kFloat), std::pair("bf16", at::kBFloat16)})
    for (const std::int64_t tokens : {17, 33, 65, 257, 626})
      for (const std::int64_t dim : {16, 32, 64})
        print_row(name, tokens, dim,
                  at::randn({cell_count, tokens, 3 * head_count * dim}).to(type).requires_grad_(true));
  return 0;
}
