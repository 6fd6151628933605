#include "masksc/core/random.hpp"

#include <numeric>
#include <utility>

#include "masksc/core/error.hpp"

namespace masksc {

// The key mixes seed, purpose and layer; the counter holds (draw, epoch, item), so that streams never overlap.
std::array<std::uint32_t, 2> stream_key(std::uint64_t seed, Purpose purpose, std::uint32_t layer) {
  const PhiloxBlock mixed = philox({static_cast<std::uint32_t>(purpose), layer, 0, 0},
                                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return {mixed[0], mixed[1]};
}

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t epoch, std::uint64_t item,
                           std::uint32_t layer)
    : key_(stream_key(seed, purpose, layer)),
      counter_{0, epoch, static_cast<std::uint32_t>(item), static_cast<std::uint32_t>(item >> 32)} {}

PhiloxBlock RandomStream::block(std::uint32_t index) const {
  PhiloxBlock counter = counter_;
  counter[0] = index;
  return philox(counter, key_);
}

RandomStream::result_type RandomStream::operator()() {
  const bool second = (next_ & 1U) != 0;
  if (!second) buffer_ = block(next_ >> 1);
  ++next_;
  const std::size_t at = second ? 2 : 0;
  return (std::uint64_t{buffer_[at + 1]} << 32) | buffer_[at];
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  ensure(bound > 0, "RandomStream::below needs a positive bound");
  const std::uint64_t limit = max() - max() % bound;  // rejection, so that every value is equally likely
  std::uint64_t draw = (*this)();
  while (draw >= limit) draw = (*this)();
  return draw % bound;
}

std::vector<std::int64_t> random_permutation(std::int64_t size, std::uint64_t seed, Purpose purpose,
                                             std::uint32_t epoch, std::uint64_t item) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream random(seed, purpose, epoch, item);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace masksc
