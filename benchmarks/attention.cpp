// Times attention on one core: LibTorch's fused one and ours, forward and backward, 16 cells of 6 heads.
//
//   benchmark_attention
//
// Prints GFLOP/s (two products forward, four backward: the one that is done again there is not counted) and how many
// times faster ours is, forward and backward together; the best of nine, the two in turn.
#include "masksc/model/attention.hpp"

#include <ATen/Version.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "masksc/model/host_memory.hpp"

namespace {

using Attention = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&);

at::Tensor fused(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  return at::scaled_dot_product_attention(queries, keys, values);
}

struct Seconds {
  double forward = std::numeric_limits<double>::infinity();
  double backward = forward;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The layout of a block: heads beside each other in the rows of one tensor.
void time_once(Attention attention, std::int64_t tokens, std::int64_t dim, Seconds& best) {
  const at::Tensor qkv = at::randn({16, tokens, 3, 6, dim}).requires_grad_(true);
  const std::vector<at::Tensor> parts = qkv.transpose(1, 3).unbind(2);
  const double begin = now();
  const at::Tensor output = attention(parts[0], parts[1], parts[2]);
  best.forward = std::min(best.forward, now() - begin);
  const at::Tensor gradient = at::randn_like(output);
  const double back = now();
  output.backward(gradient);
  best.backward = std::min(best.backward, now() - back);
}

}  // namespace

int main() {
  at::set_num_threads(1);
  masksc::use_training_allocator();
  fmt::print("LibTorch's kernels here: {}\n\n", at::get_cpu_capability());
  fmt::print(
      "| tokens | dim of a head | fused: forward | backward | ours: forward | backward | times faster |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const std::int64_t tokens : {33, 65, 129, 257, 513, 1025})
    for (const std::int64_t dim : {16, 32, 64}) {
      Seconds theirs, ours;
      for (int i = 0; i < 9; ++i) {
        time_once(&fused, tokens, dim, theirs);
        time_once(&masksc::attention, tokens, dim, ours);
      }
      const double giga = 16 * 6 * 4e-9 * static_cast<double>(tokens * tokens * dim);
      fmt::print("| {} | {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.2f} |\n", tokens, dim, giga / theirs.forward,
                 2 * giga / theirs.backward, giga / ours.forward, 2 * giga / ours.backward,
                 (theirs.forward + theirs.backward) / (ours.forward + ours.backward));
    }
  return 0;
}
