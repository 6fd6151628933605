// What stage 2 predicts: the frozen sequence encoders' answers, and principal components of whole cells, standardised
// over the training cells.
//
// Shapes: n cells, G tokens, P*P genes a patch, T target features, F features of the whole-cell
// teacher: the sequence encoder's unit-length answer, then the components.
#pragma once

#include <array>
#include <memory>

#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/settings.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

class Targets {
 public:
  /// `whole` answers whole cells (contrastive targets, guidance), `per_patch` patches (target patch). Either may be
  /// null where the settings don't need it; see needs_whole and needs_per_patch.
  Targets(TargetSettings settings, std::int64_t tokens, std::int64_t patch_genes,
          std::shared_ptr<const SequenceEncoder> whole, std::shared_ptr<const SequenceEncoder> per_patch,
          at::Device device = at::kCPU);

  static bool needs_whole(const TargetSettings& s) {
    return s.target == Target::contrastive || (s.guidance > 0 && s.guidance_target != GuidanceTarget::components);
  }
  static bool needs_per_patch(const TargetSettings& s) { return s.target == Target::patch; }

  /// Measures mean and deviation over all cells: per patch position and feature for targets, per feature (mean) and
  /// overall (deviation) for the unit-length whole-cell features and for the components. Answer and components have the
  /// same weight together, however many features each has. `for_each_tile` calls back with tiles of this rank's cells,
  /// each cell once. `loadings` [G * P*P, any]: the directions of principal components (see component_axes), of which
  /// the first guide; may be undefined where none do. A collective.
  ///
  /// exact_threads above 0: whole tiles are answered and sums are exact, so that the bits do not depend on the number
  /// of ranks; tiles may come from that many threads at the same time.
  void standardise(const ForEachTile& for_each_tile, std::int64_t cells, const at::Tensor& loadings, Collectives& ranks,
                   int exact_threads = 0);

  /// Standardised targets of all patches, [n, G, T].
  [[nodiscard]] at::Tensor targets(const at::Tensor& patches) const;
  /// Standardised whole-cell features [n, F].
  [[nodiscard]] at::Tensor teacher(const at::Tensor& patches) const;

  /// What guides: "sequence", "components" or "both"; "nothing" without guidance.
  [[nodiscard]] const char* guided_by() const;
  [[nodiscard]] std::int64_t target_features() const;
  [[nodiscard]] std::int64_t teacher_features() const;

  /// The measured statistics by name, to save and load.
  [[nodiscard]] std::vector<std::pair<std::string, at::Tensor*>> statistics();

 private:
  [[nodiscard]] at::Tensor raw_targets(const at::Tensor& patches) const;
  [[nodiscard]] at::Tensor raw_teacher(const at::Tensor& patches) const;
  /// How many of the teacher's features are the sequence encoder's, and how many are components.
  [[nodiscard]] std::array<std::int64_t, 2> teacher_parts() const;
  // Mean, and squares of the deviations summed over `cells`.
  void set_target_statistics(const at::Tensor& mean, const at::Tensor& squares, double cells);
  void set_teacher_statistics(const at::Tensor& mean, const at::Tensor& squares, double cells);

  TargetSettings settings_;
  std::int64_t patch_genes_;
  std::int64_t genes_;  // G * P*P
  std::shared_ptr<const SequenceEncoder> whole_;
  std::shared_ptr<const SequenceEncoder> per_patch_;
  at::Tensor target_mean_;    // [G, T]
  at::Tensor target_scale_;   // [G, T] 1 / (standard deviation + 1e-4)
  at::Tensor loadings_;       // [G * P*P, components]; undefined without
  at::Tensor teacher_mean_;   // [F]
  at::Tensor teacher_scale_;  // [F]
};

}  // namespace masksc
