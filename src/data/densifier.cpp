#include "masksc/data/densifier.hpp"

#include <algorithm>
#include <cmath>

namespace masksc {

Densifier::Densifier(const Expression& expression)
    : slot_of_column_(static_cast<std::size_t>(expression.values.columns), -1), scaling_(expression.scaling) {
  const MatrixLayout& layout = expression.layout;
  const std::int64_t patch_genes = layout.patch_genes();
  for (std::int64_t token = 0; token < layout.tokens(); ++token) {
    if (layout.token_has_genes[static_cast<std::size_t>(token)] == 0) continue;
    for (std::int64_t i = 0; i < patch_genes; ++i) {
      const std::int32_t column = layout.slot_to_column[static_cast<std::size_t>(token * patch_genes + i)];
      if (column >= 0) slot_of_column_[static_cast<std::size_t>(column)] = static_cast<std::int32_t>(width_);
      ++width_;
    }
  }
  empty_rows_.resize(static_cast<std::size_t>(width_ * scaling_.batches));
  for (std::int32_t batch = 0; batch < scaling_.batches; ++batch)
    for (std::size_t column = 0; column < slot_of_column_.size(); ++column)
      if (slot_of_column_[column] >= 0)
        empty_rows_[static_cast<std::size_t>(batch * width_ + slot_of_column_[column])] =
            scaling_.scaled(column, 0, batch);
}

std::span<const float> Densifier::empty_row(std::int32_t batch) const {
  return {empty_rows_.data() + batch * width_, static_cast<std::size_t>(width_)};
}

template <typename Put>
void Densifier::for_each_count(std::span<const std::int32_t> indices, std::span<const float> values, std::int32_t batch,
                               const Put& put_at) const {
  const std::size_t first = static_cast<std::size_t>(batch) * scaling_.columns();
  const float* const mean = scaling_.mean.data() + first;
  const float* const inverse_sd = scaling_.inverse_sd.data() + first;
  const std::int32_t* const slot = slot_of_column_.data();
  const float clip = scaling_.clip;
  const auto put = [&](auto value_of) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto column = static_cast<std::size_t>(indices[i]);
      put_at(i, slot[column], std::clamp((value_of(values[i]) - mean[column]) * inverse_sd[column], -clip, clip));
    }
  };
  if (scaling_.counts)
    put([](float x) { return std::expm1(x); });
  else
    put([](float x) { return x; });
}

void Densifier::put_counts(std::span<const std::int32_t> indices, std::span<const float> values, float* out,
                           std::int32_t batch) const {
  for_each_count(indices, values, batch, [out](std::size_t, std::int32_t slot, float value) { out[slot] = value; });
}

void Densifier::fill(std::span<const std::int32_t> indices, std::span<const float> values, std::span<float> out,
                     std::int32_t batch) const {
  std::ranges::copy(empty_row(batch), out.begin());
  put_counts(indices, values, out.data(), batch);
}

void Densifier::append(std::span<const std::int32_t> indices, std::span<const float> values, std::vector<float>& out,
                       std::int32_t batch) const {
  const std::span<const float> empty = empty_row(batch);
  out.insert(out.end(), empty.begin(), empty.end());
  put_counts(indices, values, out.data() + out.size() - empty.size(), batch);
}

void Densifier::scale(std::span<const std::int32_t> indices, std::span<const float> values,
                      std::span<std::int32_t> slots, std::span<float> scaled, std::int32_t batch) const {
  for_each_count(indices, values, batch, [&](std::size_t i, std::int32_t slot, float value) {
    slots[i] = slot;
    scaled[i] = value;
  });
}

}  // namespace masksc
