#include "masksc/model/mask.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"

namespace masksc {

std::int64_t visible_tokens(std::int64_t tokens, double mask_ratio) {
  if (!(mask_ratio > 0 && mask_ratio < 1))
    throw UserError(fmt::format("--mask-ratio must lie between 0 and 1, not {}", mask_ratio));
  const auto visible = static_cast<std::int64_t>(std::lround(static_cast<double>(tokens) * (1 - mask_ratio)));
  if (tokens < 2)
    throw UserError(
        fmt::format("a cell is a single token, and --mask-ratio {} needs two: take a smaller --patch", mask_ratio));
  if (visible < 1 || visible >= tokens)
    throw UserError(
        fmt::format("--mask-ratio {} of {} tokens leaves {}; choose a ratio between {:.3g} and {:.3g}, or a "
                    "smaller --patch for more tokens",
                    mask_ratio, tokens, visible < 1 ? "no visible token" : "no masked token",
                    1.0 / static_cast<double>(tokens), 1 - 1.0 / static_cast<double>(tokens)));
  return visible;
}

Masks draw_masks(std::uint64_t seed, std::uint32_t epoch, std::span<const std::int64_t> cells, std::int64_t tokens,
                 std::int64_t visible) {
  ensure(tokens <= 65536, "a mask key holds the token in 16 bits");
  constexpr std::uint64_t token_bits = 0xFFFF;
  Masks masks;
  masks.visible.reserve(cells.size() * static_cast<std::size_t>(visible));
  masks.masked.reserve(cells.size() * static_cast<std::size_t>(tokens - visible));
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(tokens));
  std::vector<std::int64_t> order(keys.size());
  for (const std::int64_t cell : cells) {
    RandomStream random(seed, Purpose::mask, epoch, static_cast<std::uint64_t>(std::max<std::int64_t>(cell, 0)));
    for (std::size_t t = 0; t < keys.size(); ++t) keys[t] = (random() & ~token_bits) | t;
    std::nth_element(keys.begin(), keys.begin() + visible, keys.end());
    std::transform(keys.begin(), keys.end(), order.begin(),
                   [](std::uint64_t key) { return static_cast<std::int64_t>(key & token_bits); });
    std::sort(order.begin(), order.begin() + visible);
    std::sort(order.begin() + visible, order.end());
    masks.visible.insert(masks.visible.end(), order.begin(), order.begin() + visible);
    masks.masked.insert(masks.masked.end(), order.begin() + visible, order.end());
  }
  return masks;
}

}  // namespace masksc
