// From the counts of a cell to what the model sees of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/preprocess/expression.hpp"

namespace masksc {

/// Makes sparse log-normalised rows dense in the slots of the matrix layout, standardised and clipped.
class Densifier {
 public:
  explicit Densifier(const Expression& expression);
  /// Floats of a dense row: tokens that hold genes * genes of a patch.
  [[nodiscard]] std::int64_t width() const { return width_; }
  /// Fills `out` [width] from one sparse row of a cell of `batch`.
  void fill(std::span<const std::int32_t> indices, std::span<const float> values, std::span<float> out,
            std::int32_t batch = 0) const;
  /// Where the counts of a row go, and what of them: out[slots[i]] = scaled[i], all else is empty_row(batch).
  void scale(std::span<const std::int32_t> indices, std::span<const float> values, std::span<std::int32_t> slots,
             std::span<float> scaled, std::int32_t batch = 0) const;
  /// [width] the dense row of a cell of `batch` without counts.
  [[nodiscard]] std::span<const float> empty_row(std::int32_t batch = 0) const;
  /// fill() at the end of `out`, which gets longer by width().
  void append(std::span<const std::int32_t> indices, std::span<const float> values, std::vector<float>& out,
              std::int32_t batch = 0) const;

 private:
  /// put_at(i, slot, standardised value) for each of a row's counts.
  template <typename Put>
  void for_each_count(std::span<const std::int32_t> indices, std::span<const float> values, std::int32_t batch,
                      const Put& put_at) const;
  void put_counts(std::span<const std::int32_t> indices, std::span<const float> values, float* out,
                  std::int32_t batch) const;

  std::int64_t width_ = 0;
  std::vector<float> empty_rows_;  // [batches, width]
  std::vector<std::int32_t> slot_of_column_;
  GeneScaling scaling_;
};

}  // namespace masksc
