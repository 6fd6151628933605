#include "masksc/model/device_random.hpp"

#include <array>
#include <limits>
#include <tuple>

#include "masksc/core/error.hpp"
#include "masksc/model/mask.hpp"

namespace masksc {
namespace {

constexpr std::int64_t low_word = 0xFFFFFFFF;

at::Tensor high(const at::Tensor& product) { return product.bitwise_right_shift(32).bitwise_and(low_word); }
at::Tensor low(const at::Tensor& product) { return product.bitwise_and(low_word); }

}  // namespace

at::Tensor philox_words(std::uint64_t seed, Purpose purpose, std::uint32_t epoch, const at::Tensor& cells,
                        std::int64_t blocks, std::uint32_t layer) {
  std::array<std::uint32_t, 2> key = stream_key(seed, purpose, layer);
  const at::Tensor items = cells.clamp_min(0).unsqueeze(1);  // [n, 1]
  const auto options = cells.options();
  std::array<at::Tensor, 4> counter = {at::arange(blocks, options).unsqueeze(0), at::full({1, 1}, epoch, options),
                                       low(items), high(items)};
  for (int round = 0; round < 10; ++round) {  // as philox(); the product of two words wraps, its bits are right
    const at::Tensor a = counter[0] * std::int64_t{0xD2511F53};
    const at::Tensor b = counter[2] * std::int64_t{0xCD9E8D57};
    counter = {high(b).bitwise_xor(counter[1]).bitwise_xor(std::int64_t{key[0]}), low(b),
               high(a).bitwise_xor(counter[3]).bitwise_xor(std::int64_t{key[1]}), low(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  std::vector<at::Tensor> words;
  for (const at::Tensor& word : counter) words.push_back(word.expand({cells.size(0), blocks}));
  return at::stack(words, 2);
}

DeviceMasks draw_masks_of(std::uint64_t seed, std::uint32_t epoch, const at::Tensor& cells, std::int64_t tokens,
                          std::int64_t visible) {
  if (!cells.is_cpu()) return draw_masks_there(seed, epoch, cells, tokens, visible);
  const Masks masks = draw_masks(
      seed, epoch, {cells.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(cells.numel())}, tokens, visible);
  return {at::tensor(masks.visible, at::kLong).view({cells.numel(), visible}),
          at::tensor(masks.masked, at::kLong).view({cells.numel(), tokens - visible})};
}

DeviceMasks draw_masks_there(std::uint64_t seed, std::uint32_t epoch, const at::Tensor& cells, std::int64_t tokens,
                             std::int64_t visible) {
  ensure(tokens <= 65536, "a mask key holds the token in 16 bits");
  constexpr std::int64_t token_bits = 0xFFFF;
  const at::Tensor halves = philox_words(seed, Purpose::mask, epoch, cells, (tokens + 1) / 2)
                                .view({cells.size(0), -1, 2})
                                .narrow(1, 0, tokens);
  const at::Tensor draws = halves.select(2, 1).bitwise_left_shift(32).bitwise_or(halves.select(2, 0));
  at::Tensor keys = draws.bitwise_and(~token_bits).bitwise_or(at::arange(tokens, cells.options()));
  keys = keys.bitwise_xor(std::numeric_limits<std::int64_t>::min());  // unsigned order as signed
  const at::Tensor order = keys.argsort(std::int64_t{1});
  return {std::get<0>(order.narrow(1, 0, visible).sort(1)),
          std::get<0>(order.narrow(1, visible, tokens - visible).sort(1))};
}

}  // namespace masksc
