// Sums by a fixed binary tree: ((t0 + t1) + (t2 + t3)) + ... Floating-point sums depend on the order of their terms;
// here the terms alone decide on it. Ranks that hold neighbouring terms sum their subtrees, then go on along the same
// tree, and any number of them gets the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/dist/collectives.hpp"

namespace masksc {

/// 1, 2, 4, 8, ...
constexpr bool is_power_of_two(std::int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

/// Calls add(i, j) so that `terms` (a power of two) terms are summed by the tree: term j is to be added to term i, and
/// the sum ends up in term 0. Throws InvariantError for other numbers of terms.
template <typename Add>
void for_each_tree_addition(std::int64_t terms, Add&& add) {
  ensure(is_power_of_two(terms), "a tree sums a power of two of terms");
  for (std::int64_t stride = 1; stride < terms; stride *= 2)
    for (std::int64_t i = 0; i + stride < terms; i += 2 * stride) add(i, i + stride);
}

/// The sum of a power of two of terms.
double tree_sum(std::vector<double> terms);

/// values[i] = sum over ranks (a power of two) of values[i], by the tree over ranks; the same bits on every rank,
/// however long buffers are cut. Long ones travel as in a ring: each rank sums its slice, then all gather. A
/// collective.
void tree_all_reduce(Collectives& ranks, std::span<float> values);
void tree_all_reduce(Collectives& ranks, std::span<double> values);

}  // namespace masksc
