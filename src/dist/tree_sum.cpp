#include "masksc/dist/tree_sum.hpp"

#include <algorithm>

#include "masksc/core/types.hpp"

namespace masksc {
namespace {

constexpr std::size_t short_elements = 4096;  // gathered whole: one message instead of several

/// `terms` rows of `width` elements, one after the other; the sum ends up in the first.
template <typename T>
void sum_rows(std::vector<T>& rows, int terms, std::size_t width) {
  for_each_tree_addition(terms, [&](std::int64_t to, std::int64_t from) {
    T* const into = rows.data() + static_cast<std::size_t>(to) * width;
    const T* const added = rows.data() + static_cast<std::size_t>(from) * width;
    for (std::size_t i = 0; i < width; ++i) into[i] += added[i];
  });
}

template <typename T>
void all_reduce(Collectives& ranks, std::span<T> values) {
  const int size = ranks.size();
  if (size == 1) return;
  if (values.size() <= short_elements) {
    std::vector<T> all(values.size() * static_cast<std::size_t>(size));
    ranks.all_gather(std::span<const T>(values), std::span(all));
    sum_rows(all, size, values.size());
    std::copy_n(all.begin(), values.size(), values.begin());
    return;
  }
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < size; ++rank)
    counts.push_back(rows_of_rank(static_cast<std::int64_t>(values.size()), rank, size).size());
  std::vector<T> mine = ranks.all_to_all(std::span<const T>(values), counts);
  const auto width = static_cast<std::size_t>(counts[static_cast<std::size_t>(ranks.rank())]);
  sum_rows(mine, size, width);
  const std::vector<T> sums = ranks.all_gather_varied(std::span<const T>(mine).first(width));
  std::copy(sums.begin(), sums.end(), values.begin());
}

}  // namespace

double tree_sum(std::vector<double> terms) {
  sum_rows(terms, static_cast<int>(terms.size()), 1);
  return terms[0];
}

void tree_all_reduce(Collectives& ranks, std::span<float> values) { all_reduce(ranks, values); }

void tree_all_reduce(Collectives& ranks, std::span<double> values) { all_reduce(ranks, values); }

}  // namespace masksc
