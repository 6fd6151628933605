#include "masksc/dist/collectives.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "masksc/core/host.hpp"

namespace masksc {

float to_float(Bf16 value) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

Bf16 to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

std::vector<std::int64_t> Collectives::gather_counts(std::size_t mine) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(size_));
  const auto local = static_cast<std::int64_t>(mine);
  all_gather(std::span<const std::int64_t>(&local, 1), std::span(counts));
  return counts;
}

std::vector<std::int64_t> Collectives::exchange_counts(const std::vector<std::int64_t>& send_counts) {
  const auto ranks = static_cast<std::size_t>(size_);
  ensure(send_counts.size() == ranks, "all_to_all: one count a rank");
  std::vector<std::int64_t> table(ranks * ranks);
  all_gather(std::span<const std::int64_t>(send_counts), std::span(table));
  std::vector<std::int64_t> counts(ranks);
  for (std::size_t r = 0; r < ranks; ++r) counts[r] = table[r * ranks + static_cast<std::size_t>(rank_)];
  return counts;
}

std::size_t Collectives::total(const std::vector<std::int64_t>& counts) {
  return static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
}

std::string broadcast_text(Collectives& ranks, std::string text, int root) {
  auto length = static_cast<std::int64_t>(text.size());
  ranks.broadcast(std::span(&length, 1), root);
  text.resize(static_cast<std::size_t>(length));
  ranks.broadcast(std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()), root);
  return text;
}

void agree(Collectives& ranks, const std::exception_ptr& mine) {
  const int failed = ranks.all_reduce(std::int32_t{mine ? ranks.rank() : ranks.size()}, ReduceOp::min);
  if (failed == ranks.size()) return;
  Failure failure;
  if (ranks.rank() == failed) {
    failure = describe_failure(mine);
    if (failed > 0) failure.message += fmt::format(" (on rank {}, host {})", failed, host_name());
  }
  auto code = static_cast<std::int32_t>(failure.code);
  ranks.broadcast(std::span(&code, 1), failed);
  failure.code = static_cast<ExitCode>(code);
  failure.message = broadcast_text(ranks, std::move(failure.message), failed);
  throw_failure(failure);
}

}  // namespace masksc
