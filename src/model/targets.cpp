#include "masksc/model/targets.hpp"

#include <algorithm>
#include <cmath>

#include "masksc/model/distributed.hpp"

namespace masksc {

Targets::Targets(TargetSettings settings, std::int64_t tokens, std::int64_t patch_genes,
                 std::shared_ptr<const SequenceEncoder> whole, std::shared_ptr<const SequenceEncoder> per_patch,
                 at::Device device)
    : settings_(settings), patch_genes_(patch_genes), whole_(std::move(whole)), per_patch_(std::move(per_patch)) {
  ensure(!needs_whole(settings_) || whole_ != nullptr, "the whole-cell encoder is there");
  ensure(!needs_per_patch(settings_) || per_patch_ != nullptr, "the patch encoder is there");
  target_mean_ = at::zeros({tokens, target_features()}, device);
  target_scale_ = at::ones({tokens, target_features()}, device);
  teacher_mean_ = at::zeros({std::max<std::int64_t>(teacher_features(), 1)}, device);
  teacher_scale_ = at::ones({1}, device);
}

std::int64_t Targets::target_features() const {
  switch (settings_.target) {
    case Target::contrastive:
      return whole_->shape().outputs;
    case Target::patch:
      return per_patch_->shape().outputs;
    default:
      return patch_genes_;
  }
}

std::int64_t Targets::teacher_features() const { return settings_.guidance > 0 ? whole_->shape().outputs : 0; }

at::Tensor Targets::raw_targets(const at::Tensor& patches) const {
  switch (settings_.target) {
    case Target::contrastive:
      return whole_->patch_answers(patches);
    case Target::patch:
      return per_patch_->patch_answers(patches);
    default:
      return patches;
  }
}

at::Tensor Targets::raw_teacher(const at::Tensor& patches) const {
  const at::Tensor answer = whole_->answer(patches.flatten(1)).squeeze(1);
  return answer / answer.norm(2, -1, true).clamp_min(1e-12);
}

void Targets::standardise(const std::function<void(const std::function<void(const at::Tensor&)>&)>& for_each_batch,
                          std::int64_t cells, Collectives& ranks) {
  const bool contrastive = settings_.target != Target::raw;  // raw expression was standardised as genes, or not, before
  const bool guided = settings_.guidance > 0;
  if (!contrastive && !guided) return;
  const at::NoGradGuard no_gradient;
  const at::Device device = target_mean_.device();
  const auto options = at::TensorOptions(at::kDouble).device(device);
  const auto n = static_cast<double>(cells);

  // Two passes: means, then deviations from them.
  at::Tensor target_sum = at::zeros(target_mean_.sizes(), options);
  at::Tensor teacher_sum = at::zeros(teacher_mean_.sizes(), options);
  for_each_batch([&](const at::Tensor& patches) {
    if (contrastive) target_sum += raw_targets(patches).to(at::kDouble).sum(0);
    if (guided) teacher_sum += raw_teacher(patches).to(at::kDouble).sum(0);
  });
  all_reduce(ranks, target_sum);
  all_reduce(ranks, teacher_sum);
  const at::Tensor target_mean = target_sum / n;
  const at::Tensor teacher_mean = teacher_sum / n;
  const at::Tensor teacher_overall = teacher_mean.mean();

  at::Tensor target_squares = at::zeros(target_mean_.sizes(), options);
  at::Tensor teacher_squares = at::zeros({1}, options);
  for_each_batch([&](const at::Tensor& patches) {
    if (contrastive) target_squares += (raw_targets(patches).to(at::kDouble) - target_mean).square().sum(0);
    if (guided) teacher_squares += (raw_teacher(patches).to(at::kDouble) - teacher_overall).square().sum();
  });
  all_reduce(ranks, target_squares);
  all_reduce(ranks, teacher_squares);
  const double degrees = std::max(n - 1, 1.0);
  if (contrastive) {
    target_mean_ = target_mean.to(at::kFloat);
    target_scale_ = (1 / ((target_squares / degrees).sqrt() + 1e-4)).to(at::kFloat);
  }
  if (guided) {
    const double entries = std::max(n * static_cast<double>(teacher_features()) - 1, 1.0);
    teacher_mean_ = teacher_mean.to(at::kFloat);
    teacher_scale_ = (1 / ((teacher_squares / entries).sqrt() + 1e-12)).to(at::kFloat);
  }
}

at::Tensor Targets::targets(const at::Tensor& patches) const {
  const at::NoGradGuard no_gradient;
  if (settings_.target == Target::raw) return patches;
  return (raw_targets(patches) - target_mean_) * target_scale_;
}

at::Tensor Targets::teacher(const at::Tensor& patches) const {
  const at::NoGradGuard no_gradient;
  return (raw_teacher(patches) - teacher_mean_) * teacher_scale_;
}

std::vector<std::pair<std::string, at::Tensor*>> Targets::statistics() {
  return {{"target_mean", &target_mean_},
          {"target_scale", &target_scale_},
          {"teacher_mean", &teacher_mean_},
          {"teacher_scale", &teacher_scale_}};
}

}  // namespace masksc
