#include "tile_kernels.hpp"

#include <cstddef>
#include <limits>

namespace masksc::detail {
namespace portable {
#include "tile_kernels.inl"
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "tile_kernels.inl"
}
#pragma GCC pop_options
namespace {
bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}
}  // namespace
#else
namespace avx2 = portable;
namespace {
bool has_avx2() { return false; }
}  // namespace
#endif

PackedCentres pack_centres(const std::vector<float>& centres, std::int64_t count, std::int64_t columns) {
  PackedCentres packed;
  packed.groups = (count + centre_group - 1) / centre_group;
  packed.values.resize(static_cast<std::size_t>(packed.groups * columns * centre_group));
  packed.half_norms.assign(static_cast<std::size_t>(packed.groups * centre_group),
                           std::numeric_limits<float>::infinity());
  for (std::int64_t c = 0; c < count; ++c) {
    float* to = packed.values.data() + (c / centre_group) * columns * centre_group + c % centre_group;
    double norm = 0;
    for (std::int64_t f = 0; f < columns; ++f) {
      const float value = centres[static_cast<std::size_t>(c * columns + f)];
      to[f * centre_group] = value;
      norm += static_cast<double>(value) * static_cast<double>(value);
    }
    packed.half_norms[static_cast<std::size_t>(c)] = static_cast<float>(norm / 2);
  }
  return packed;
}

void nearest_centres(const float* tile, std::int64_t columns, const PackedCentres& centres, std::int32_t* labels) {
  (has_avx2() ? avx2::nearest_centres : portable::nearest_centres)(tile, columns, centres.groups, centres.values.data(),
                                                                   centres.half_norms.data(), labels);
}

void squared_distances(const float* tile, std::int64_t columns, const PackedCentres& centres, std::int64_t stride,
                       float* squared) {
  (has_avx2() ? avx2::squared_distances : portable::squared_distances)(tile, columns, centres.groups,
                                                                       centres.values.data(), stride, squared);
}

}  // namespace masksc::detail
