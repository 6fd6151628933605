#include "masksc/train/precision.hpp"

#include <algorithm>

#include "masksc/core/host.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

constexpr double largest_scale = 0x1.0p40;
constexpr std::int64_t steps_to_grow = 2000;

}  // namespace

void LossScale::update(bool overflow) {
  if (!dynamic) return;
  if (overflow) {
    scale = std::max(scale / 2, 1.0);
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

const char* precision_name(at::ScalarType type) {
  return type == at::kBFloat16 ? "bf16" : type == at::kHalf ? "fp16" : "fp32";
}

void tell_of_other_precision(const std::string& before, at::ScalarType type, std::int64_t step) {
  if (before.empty() || before == precision_name(type)) return;
  log::warning(
      "the checkpoint of step {} was trained in {}, the training goes on in {}: --precision auto follows the device; "
      "name a precision to keep one",
      step, before, precision_name(type));
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
