#include "masksc/model/contrastive.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace masksc {
namespace {

constexpr std::int64_t similarity_budget = std::int64_t{1} << 25;  // floats of the similarity matrices at a time

/// The real rows of all ranks, [g, B, d].
at::Tensor gather_rows(const at::Tensor& local, std::int64_t real, Collectives& ranks) {
  const at::Tensor mine = local.detach().narrow(1, 0, real).transpose(0, 1).contiguous().cpu();  // [real, g, d]
  const std::vector<float> all =
      ranks.all_gather_varied(std::span<const float>(mine.data_ptr<float>(), static_cast<std::size_t>(mine.numel())));
  return at::tensor(at::ArrayRef<float>(all), at::kFloat)
      .view({-1, local.size(0), local.size(2)})
      .transpose(0, 1)
      .contiguous()
      .to(local.device());
}

/// The loss of whole batches z1, z2 [g, B, d], summed over groups; differentiable.
at::Tensor contrastive_loss_sum(const at::Tensor& z1, const at::Tensor& z2, ContrastiveLoss kind, double temperature) {
  const std::int64_t cells = z1.size(1);
  if (kind == ContrastiveLoss::eq1) {
    const at::Tensor similarity = at::matmul(unit_length(z1), unit_length(z2).transpose(1, 2)) / temperature;
    return -at::log_softmax(similarity, -1).diagonal(0, 1, 2).mean(1).sum();
  }
  const at::Tensor z = unit_length(at::cat({z1, z2}, 1));
  at::Tensor similarity = at::matmul(z, z.transpose(1, 2)) / temperature;
  const at::Tensor self = at::eye(2 * cells, z.options().dtype(at::kBool));
  similarity = similarity.masked_fill(self, -std::numeric_limits<float>::infinity());
  const at::Tensor log_probability = at::log_softmax(similarity, -1);
  return -(log_probability.diagonal(cells, 1, 2).sum() + log_probability.diagonal(-cells, 1, 2).sum()) /
         static_cast<double>(2 * cells);
}

}  // namespace

at::Tensor unit_length(const at::Tensor& z) { return z / z.norm(2, -1, true).clamp_min(1e-12); }

ContrastiveResult contrastive_loss(const at::Tensor& view1, const at::Tensor& view2, std::int64_t real,
                                   ContrastiveLoss kind, double temperature, Collectives& ranks) {
  const at::Tensor all1 = gather_rows(view1, real, ranks);
  const at::Tensor all2 = gather_rows(view2, real, ranks);
  const std::int64_t groups = view1.size(0);
  const std::int64_t cells = all1.size(1);
  std::int64_t before = 0;  // rows of the ranks before this one
  {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(std::span<const std::int64_t>(&real, 1), std::span(counts));
    for (int r = 0; r < ranks.rank(); ++r) before += counts[static_cast<std::size_t>(r)];
  }
  ContrastiveResult result{0, at::zeros_like(view1), at::zeros_like(view2)};
  const std::int64_t chunk = std::max<std::int64_t>(1, similarity_budget / (4 * cells * cells));
  double total = 0;
  for (std::int64_t first = 0; first < groups; first += chunk) {
    const std::int64_t count = std::min(chunk, groups - first);
    const at::Tensor z1 = all1.narrow(0, first, count).clone().set_requires_grad(true);
    const at::Tensor z2 = all2.narrow(0, first, count).clone().set_requires_grad(true);
    const at::AutoGradMode with_gradient(true);
    const at::Tensor loss = contrastive_loss_sum(z1, z2, kind, temperature);
    loss.backward();
    total += loss.item<double>();
    result.gradient1.narrow(0, first, count).narrow(1, 0, real).copy_(z1.grad().narrow(1, before, real));
    result.gradient2.narrow(0, first, count).narrow(1, 0, real).copy_(z2.grad().narrow(1, before, real));
  }
  result.loss = total / static_cast<double>(groups);
  return result;
}

}  // namespace masksc
