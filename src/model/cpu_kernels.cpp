#include "cpu_kernels.hpp"

#include <ATen/Version.h>

#include <string>

#include "masksc/core/host.hpp"

namespace masksc {

const CpuKernels& cpu_kernels() {
  static const CpuKernels found = [] {
    CpuKernels kernels;
#ifdef __x86_64__
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX2") kernels.fp32 = {&avx2_attention, &avx2_rows};
    if (capability == "AVX512") {
      kernels.fp32 = {&avx512_attention, &avx512_rows};
      if (__builtin_cpu_supports("avx512bf16") != 0)
        kernels.bf16 = {may_use_amx_bf16() ? &amx_attention : &avx512_bf16_attention, &avx512_bf16_rows};
    }
#endif
    return kernels;
  }();
  return found;
}

bool has_cpu_kernels(at::ScalarType type) {
  return (type == at::kFloat && cpu_kernels().fp32.rows != nullptr) ||
         (type == at::kBFloat16 && cpu_kernels().bf16.rows != nullptr);
}

}  // namespace masksc
