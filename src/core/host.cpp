#include "masksc/core/host.hpp"

#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <array>

namespace masksc {
namespace {

/// A bit of EDX, leaf 7 of CPUID.
bool has_extended_feature([[maybe_unused]] unsigned bit) {
#ifdef __x86_64__
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> bit & 1U) != 0;
#else
  return false;
#endif
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

bool has_avx512_fp16() { return has_extended_feature(23); }
bool has_amx_bf16() { return has_extended_feature(22); }

}  // namespace masksc
