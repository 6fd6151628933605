#include "masksc/model/dropout.hpp"

#include "masksc/core/random.hpp"
#include "masksc/model/device_random.hpp"

namespace masksc {
namespace {

constexpr std::int64_t words_at_once = 1 << 24;  // of a device: 128 MiB, several times

/// What the draws of the cells keep, as 0 and `kept`: float [rows, width].
at::Tensor drawn_by_host(std::int64_t width, std::uint32_t threshold, float kept, const DropoutKey& key) {
  const std::int64_t rows = key.cells.size(0);
  const at::Tensor cells = key.cells.contiguous();
  const std::int64_t* const cell = cells.const_data_ptr<std::int64_t>();
  at::Tensor scale = at::empty({rows, width}, at::kFloat);
  float* const out = scale.data_ptr<float>();
  at::parallel_for(0, rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto item = static_cast<std::uint64_t>(std::max<std::int64_t>(cell[row], 0));
      const RandomStream random(key.seed, Purpose::dropout, key.epoch, item, key.layer);
      float* const values = out + row * width;
      for (std::int64_t i = 0; i < width; i += 4) {
        const PhiloxBlock lanes = random.block(static_cast<std::uint32_t>(i / 4));
        for (std::int64_t lane = 0; lane < std::min<std::int64_t>(4, width - i); ++lane)
          values[i + lane] = lanes[static_cast<std::size_t>(lane)] >= threshold ? kept : 0.0F;
      }
    }
  });
  return scale;
}

at::Tensor drawn_there(std::int64_t width, std::uint32_t threshold, float kept, const DropoutKey& key) {
  const std::int64_t blocks = (width + 3) / 4;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& cells : key.cells.split(std::max<std::int64_t>(words_at_once / (4 * blocks), 1)))
    parts.push_back(philox_words(key.seed, Purpose::dropout, key.epoch, cells, blocks, key.layer)
                        .flatten(1)
                        .narrow(1, 0, width)
                        .ge(std::int64_t{threshold})
                        .to(at::kFloat)
                        .mul_(kept));
  return at::cat(parts);
}

}  // namespace

at::Tensor dropout_scale(std::int64_t width, double p, const DropoutKey& key, bool by_host) {
  const auto threshold = static_cast<std::uint32_t>(p * 0x1.0p32);
  const auto kept = static_cast<float>(1 / (1 - p));
  return by_host ? drawn_by_host(width, threshold, kept, key) : drawn_there(width, threshold, kept, key);
}

at::Tensor keyed_dropout(const at::Tensor& x, double p, const DropoutKey& key) {
  if (p <= 0 || x.numel() == 0) return x;
  const at::Tensor scale = dropout_scale(x.numel() / x.size(0), p, key, x.is_cpu());
  return x * scale.view(x.sizes()).to(x.options());
}

}  // namespace masksc
