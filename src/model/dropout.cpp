#include "masksc/model/dropout.hpp"

#include "masksc/core/random.hpp"

namespace masksc {

at::Tensor keyed_dropout(const at::Tensor& x, double p, const DropoutKey& key) {
  if (p <= 0) return x;
  const auto rows = static_cast<std::int64_t>(key.cells.size());
  const std::int64_t width = x.numel() / std::max<std::int64_t>(rows, 1);
  at::Tensor scale = at::empty({rows, width}, at::kFloat);
  float* const out = scale.data_ptr<float>();
  const auto threshold = static_cast<std::uint32_t>(p * 0x1.0p32);
  const auto kept = static_cast<float>(1 / (1 - p));
  at::parallel_for(0, rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto cell = static_cast<std::uint64_t>(std::max<std::int64_t>(key.cells[static_cast<std::size_t>(row)], 0));
      const RandomStream random(key.seed, Purpose::dropout, key.epoch, cell, key.layer);
      float* const values = out + row * width;
      for (std::int64_t i = 0; i < width; i += 4) {
        const PhiloxBlock lanes = random.block(static_cast<std::uint32_t>(i / 4));
        for (std::int64_t lane = 0; lane < std::min<std::int64_t>(4, width - i); ++lane)
          values[i + lane] = lanes[static_cast<std::size_t>(lane)] >= threshold ? kept : 0.0F;
      }
    }
  });
  return x * scale.view(x.sizes()).to(x.options());
}

}  // namespace masksc
