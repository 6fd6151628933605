#include "distance_sums.hpp"

namespace masksc::detail {
namespace portable {
#include "distance_sums.inl"
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "distance_sums.inl"
}
#pragma GCC pop_options

void add_distances(const double* group, const double* tile, const double* weights, std::int64_t tiles,
                   std::int64_t columns, double* sums) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  (has_avx2 ? avx2::add_distances : portable::add_distances)(group, tile, weights, tiles, columns, sums);
}
#else
void add_distances(const double* group, const double* tile, const double* weights, std::int64_t tiles,
                   std::int64_t columns, double* sums) {
  portable::add_distances(group, tile, weights, tiles, columns, sums);
}
#endif

}  // namespace masksc::detail
