#include "masksc/model/targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "masksc/core/exact_sum.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/distributed.hpp"

namespace masksc {
namespace {

/// Sums over cells in float64, in the order of ranks or, by each of several threads, exact.
class CellSums {
 public:
  CellSums(at::IntArrayRef shape, at::Device device, int exact_threads)
      : sums_(at::zeros(shape, at::TensorOptions(at::kDouble).device(device))) {
    for (int thread = 0; thread < exact_threads; ++thread) exact_.emplace_back(static_cast<std::size_t>(sums_.numel()));
  }

  /// terms [cells, shape...], or any when the shape is one number.
  void add(const at::Tensor& terms, int thread) {
    if (exact_.empty()) {
      sums_ += sums_.numel() == 1 ? terms.sum() : terms.sum(0);
      return;
    }
    const at::Tensor host = terms.cpu().contiguous();
    const double* const values = host.data_ptr<double>();
    const auto count = static_cast<std::size_t>(host.numel());
    ExactSums& mine = exact_[static_cast<std::size_t>(thread)];
    for (std::size_t first = 0; first < count; first += mine.size())
      for (std::size_t i = 0; i < mine.size(); ++i) {
        if (!(std::abs(values[first + i]) < largest))
          throw UserError(
              fmt::format("the sequence encoder's answers are not usable (one is {}): train it with a lower "
                          "--sequence-learning-rate, or choose another --sequence-model",
                          values[first + i]));
        mine.add(i, values[first + i]);
      }
  }

  at::Tensor over_ranks(Collectives& ranks) {
    if (exact_.empty()) {
      all_reduce(ranks, sums_);
      return sums_;
    }
    const std::span<std::int64_t> words = exact_[0].words();
    for (std::size_t thread = 1; thread < exact_.size(); ++thread) {
      const std::span<const std::int64_t> others = exact_[thread].words();
      for (std::size_t i = 0; i < words.size(); ++i) words[i] += others[i];
    }
    ranks.all_reduce(words);
    at::Tensor host = at::empty(sums_.sizes(), at::kDouble);
    for (std::size_t i = 0; i < exact_[0].size(); ++i) host.data_ptr<double>()[i] = exact_[0].value(i);
    return host.to(sums_.device());
  }

 private:
  static constexpr double largest = 0x1.0p40;  // of a term, for sums of many
  at::Tensor sums_;
  std::vector<ExactSums> exact_;
};

}  // namespace

Targets::Targets(TargetSettings settings, std::int64_t tokens, std::int64_t patch_genes,
                 std::shared_ptr<const SequenceEncoder> whole, std::shared_ptr<const SequenceEncoder> per_patch,
                 at::Device device)
    : settings_(settings),
      patch_genes_(patch_genes),
      genes_(tokens * patch_genes),
      whole_(std::move(whole)),
      per_patch_(std::move(per_patch)) {
  ensure(settings_.guidance_target != GuidanceTarget::automatic || settings_.guidance <= 0, "guidance is decided");
  ensure(!needs_whole(settings_) || whole_ != nullptr, "the whole-cell encoder is there");
  ensure(!needs_per_patch(settings_) || per_patch_ != nullptr, "the patch encoder is there");
  target_mean_ = at::zeros({tokens, target_features()}, device);
  target_scale_ = at::ones({tokens, target_features()}, device);
  teacher_mean_ = at::zeros({std::max<std::int64_t>(teacher_features(), 1)}, device);
  teacher_scale_ = at::ones_like(teacher_mean_);
  if (teacher_parts()[1] > 0) loadings_ = at::zeros({genes_, teacher_parts()[1]}, device);
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

std::array<std::int64_t, 2> Targets::teacher_parts() const {
  if (settings_.guidance <= 0) return {0, 0};
  return {settings_.guidance_target == GuidanceTarget::components ? 0 : whole_->shape().outputs,
          settings_.guidance_target == GuidanceTarget::sequence ? 0 : std::min(kGuidanceComponents, genes_)};
}

const char* Targets::guided_by() const {
  const auto [answers, components] = teacher_parts();
  if (answers > 0) return components > 0 ? "both" : "sequence";
  return components > 0 ? "components" : "nothing";
}

std::int64_t Targets::teacher_features() const { return teacher_parts()[0] + teacher_parts()[1]; }

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
  std::vector<at::Tensor> parts;
  if (teacher_parts()[0] > 0) parts.push_back(unit_length(whole_->answer(patches.flatten(1)).squeeze(1)));
  if (loadings_.defined()) parts.push_back(at::mm(patches.flatten(1).to(at::kFloat), loadings_));
  return at::cat(parts, 1);
}

void Targets::standardise(const ForEachTile& for_each_tile, std::int64_t cells, const at::Tensor& loadings,
                          Collectives& ranks, int exact_threads) {
  const bool learned = settings_.target != Target::raw;  // raw expression was standardised as genes, or not, before
  const bool guided = settings_.guidance > 0;
  if (!learned && !guided) return;
  const at::NoGradGuard no_gradient;
  const at::Device device = target_mean_.device();
  const auto n = static_cast<double>(cells);
  const auto answers = [&](const Tile& tile, at::Tensor (Targets::*raw)(const at::Tensor&) const) {
    const auto used = [&](const at::Tensor& rows) { return rows.narrow(0, tile.first_used, tile.rows.size()); };
    return (exact_threads > 0 ? used((this->*raw)(tile.patches)) : (this->*raw)(used(tile.patches))).to(at::kDouble);
  };

  if (loadings_.defined()) {
    const std::int64_t there = std::min(loadings.size(1), loadings_.size(1));
    loadings_.narrow(1, 0, there).copy_(loadings.narrow(1, 0, there));
  }

  // Two passes: means, then deviations from them.
  const auto over_tiles = [&](const TileWork& add) {
    together(ranks, [&] {
      for_each_tile([&](const Tile& tile) {
        const at::NoGradGuard no_gradient_here;  // tiles come on other threads
        add(tile);
      });
    });
  };
  CellSums target_sum(target_mean_.sizes(), device, exact_threads);
  CellSums teacher_sum(teacher_mean_.sizes(), device, exact_threads);
  over_tiles([&](const Tile& tile) {
    if (learned) target_sum.add(answers(tile, &Targets::raw_targets), tile.thread);
    if (guided) teacher_sum.add(answers(tile, &Targets::raw_teacher), tile.thread);
  });
  const at::Tensor target_mean = target_sum.over_ranks(ranks) / n;
  const at::Tensor teacher_mean = teacher_sum.over_ranks(ranks) / n;
  const at::Tensor teacher_centre = teacher_mean.clone();
  const at::Tensor answer_centre = teacher_centre.narrow(0, 0, teacher_parts()[0]);
  if (answer_centre.numel() > 0) answer_centre.fill_(answer_centre.mean());

  CellSums target_squared(target_mean_.sizes(), device, exact_threads);
  CellSums teacher_squared(teacher_mean_.sizes(), device, exact_threads);
  over_tiles([&](const Tile& tile) {
    if (learned) target_squared.add((answers(tile, &Targets::raw_targets) - target_mean).square(), tile.thread);
    if (guided) teacher_squared.add((answers(tile, &Targets::raw_teacher) - teacher_centre).square(), tile.thread);
  });
  const at::Tensor target_squares = target_squared.over_ranks(ranks);
  const at::Tensor teacher_squares = teacher_squared.over_ranks(ranks);
  if (learned) set_target_statistics(target_mean, target_squares, n);
  if (guided) set_teacher_statistics(teacher_mean, teacher_squares, n);
}

void Targets::set_target_statistics(const at::Tensor& mean, const at::Tensor& squares, double cells) {
  target_mean_ = mean.to(at::kFloat);
  target_scale_ = (1 / ((squares / std::max(cells - 1, 1.0)).sqrt() + 1e-4)).to(at::kFloat);
}

void Targets::set_teacher_statistics(const at::Tensor& mean, const at::Tensor& squares, double cells) {
  teacher_mean_ = mean.to(at::kFloat);
  const auto sizes = teacher_parts();
  const double parts = sizes[0] > 0 && sizes[1] > 0 ? 2 : 1;
  const auto squares_of = squares.split_with_sizes(sizes);
  const auto scales = teacher_scale_.split_with_sizes(sizes);
  for (std::size_t part = 0; part < sizes.size(); ++part) {
    const auto features = static_cast<double>(sizes[part]);
    const double entries = std::max(cells * features - 1, 1.0);
    const double weight = std::sqrt(static_cast<double>(teacher_features()) / (parts * std::max(features, 1.0)));
    scales[part].copy_(weight / ((squares_of[part].sum() / entries).sqrt() + 1e-12));
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
  std::vector<std::pair<std::string, at::Tensor*>> all = {{"target_mean", &target_mean_},
                                                          {"target_scale", &target_scale_},
                                                          {"teacher_mean", &teacher_mean_},
                                                          {"teacher_scale", &teacher_scale_}};
  if (loadings_.defined()) all.emplace_back("loadings", &loadings_);
  return all;
}

}  // namespace masksc
