// The machine that this process runs on.
#pragma once

#include <string>

namespace masksc {

/// Its name, which errors, heartbeats and locks give.
std::string host_name();

// Instructions that not all compilers' __builtin_cpu_supports knows; false but on x86.
/// Arithmetic in fp16 (AVX512-FP16).
bool has_avx512_fp16();
/// Tiles of bf16 matrices (AMX-BF16), which the first call asks the kernel for.
bool may_use_amx_bf16();

}  // namespace masksc
