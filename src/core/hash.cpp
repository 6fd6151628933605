#include "masksc/core/hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace masksc {

Hasher::Hasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}
Hasher::~Hasher() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }

void Hasher::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}
void Hasher::add(const std::string& text) { add(std::as_bytes(std::span(text))); }
std::uint64_t Hasher::value() const { return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_)); }
std::string Hasher::hex() const { return fmt::format("{:016x}", value()); }

}  // namespace masksc
