// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). A draw is a pure function of what it is for
// (seed, purpose, epoch, global cell, index), never of rank, batch or history, so N ranks draw what one rank draws.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace masksc {

using PhiloxBlock = std::array<std::uint32_t, 4>;

/// The Philox4x32-10 bijection of `counter` under `key`.
inline PhiloxBlock philox(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// What a random stream is used for; part of its key, so that no two uses share draws.
enum class Purpose : std::uint32_t {
  mask = 1,
  dropout = 2,
  permutation = 3,
  initialisation = 4,
  kmeans = 5,
  simulate = 6,
  sampling = 7,
  noise = 8,
};

/// The Philox key of the streams of a (seed, purpose, layer).
std::array<std::uint32_t, 2> stream_key(std::uint64_t seed, Purpose purpose, std::uint32_t layer);

/// A stream named by (seed, purpose, epoch, item); `layer` tells apart several streams of one purpose.
/// Satisfies UniformRandomBitGenerator with 64-bit draws; draw number i is a pure function of the name and i.
class RandomStream {
 public:
  using result_type = std::uint64_t;
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t epoch, std::uint64_t item, std::uint32_t layer = 0);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()();

  /// Uniform in [0, 1) with 53 bits.
  double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform integer in [0, bound), bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// The block that holds draws 2i and 2i + 1.
  [[nodiscard]] PhiloxBlock block(std::uint32_t index) const;

 private:
  std::array<std::uint32_t, 2> key_;
  PhiloxBlock counter_;
  std::uint32_t next_ = 0;
  PhiloxBlock buffer_{};
};

/// A random order of 0 .. size-1, the same for equal (seed, purpose, epoch, item) on every rank.
std::vector<std::int64_t> random_permutation(std::int64_t size, std::uint64_t seed, Purpose purpose,
                                             std::uint32_t epoch, std::uint64_t item = 0);

}  // namespace masksc
