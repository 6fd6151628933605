#include "masksc/train/precision.hpp"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <algorithm>

#include "masksc/core/log.hpp"

namespace masksc {
namespace {

constexpr double largest_scale = 0x1.0p40;
constexpr std::int64_t steps_to_grow = 2000;

#ifdef __x86_64__
/// Not all compilers' __builtin_cpu_supports knows it.
bool has_avx512_fp16() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 23U & 1U) != 0;
}
#endif

}  // namespace

void LossScale::update(bool overflow) {
  if (!dynamic) return;
  if (overflow) {
    scale /= 2;
    good_steps = 0;
  } else if (++good_steps == steps_to_grow) {
    scale = std::min(2 * scale, largest_scale);
    good_steps = 0;
  }
}

at::ScalarType working_type(const std::string& precision, at::Device device) {
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp16") return at::kHalf;
  return precision == "auto" && device.is_cuda() ? at::kBFloat16 : at::kFloat;
}

void warn_if_slow(at::ScalarType type, at::Device device) {
#ifdef __x86_64__
  if (device.is_cuda() || type == at::kFloat) return;
  const bool bf16 = type == at::kBFloat16;
  const bool there = bf16 ? __builtin_cpu_supports("avx512bf16") != 0 : has_avx512_fp16();
  if (!there)
    log::warning("--precision {0}: this CPU has no {0} instructions (AVX-512); fp32 may be several times faster",
                 bf16 ? "bf16" : "fp16");
#endif
}

}  // namespace masksc
