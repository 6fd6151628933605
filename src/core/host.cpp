#include "masksc/core/host.hpp"

#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
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

bool may_use_amx_bf16() {
#if defined(__x86_64__) && defined(__linux__)
  // A process asks once, as tiles make a thread's state 8 KiB larger (Linux, Documentation/arch/x86/xstate.rst).
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  static const bool granted = has_extended_feature(22) && ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return granted;
#else
  return false;
#endif
}

}  // namespace masksc
