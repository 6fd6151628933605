#include "masksc/metrics/agreement.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <vector>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

/// Cells by (label in a, label in b): the occupied entries of the contingency table and its margins.
struct Contingency {
  struct Entry {
    std::size_t a, b;  // numbers of the two labels, in ascending order of label
    std::int64_t cells;
  };
  std::vector<Entry> entries;
  std::vector<std::int64_t> cells_of_a, cells_of_b;
  std::int64_t cells = 0;
};

std::vector<std::int32_t> distinct(std::span<const std::int32_t> labels) {
  std::vector<std::int32_t> values(labels.begin(), labels.end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Contingency count(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  ensure(a.size() == b.size(), "two labellings of the same cells have the same size");
  const auto names_a = distinct(a);
  const auto names_b = distinct(b);
  const auto number = [](const std::vector<std::int32_t>& names, std::int32_t label) {
    return static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), label) - names.begin());
  };
  std::vector<std::size_t> pairs(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) pairs[i] = number(names_a, a[i]) * names_b.size() + number(names_b, b[i]);
  std::sort(pairs.begin(), pairs.end());

  Contingency table;
  table.cells = static_cast<std::int64_t>(a.size());
  table.cells_of_a.resize(names_a.size());
  table.cells_of_b.resize(names_b.size());
  for (std::size_t first = 0, last = 0; first < pairs.size(); first = last) {
    while (last < pairs.size() && pairs[last] == pairs[first]) ++last;
    const auto cells = static_cast<std::int64_t>(last - first);
    table.entries.push_back({pairs[first] / names_b.size(), pairs[first] % names_b.size(), cells});
    table.cells_of_a[table.entries.back().a] += cells;
    table.cells_of_b[table.entries.back().b] += cells;
  }
  return table;
}

double squares(const std::vector<std::int64_t>& counts) {
  double sum = 0;
  for (const std::int64_t c : counts) sum += static_cast<double>(c) * static_cast<double>(c);
  return sum;
}

double entropy(const std::vector<std::int64_t>& counts, std::int64_t cells) {
  if (counts.size() < 2) return 0;
  const auto n = static_cast<double>(cells);
  double sum = 0;
  for (const std::int64_t c : counts) sum -= static_cast<double>(c) / n * std::log(static_cast<double>(c) / n);
  return sum;
}

double mutual_information(const Contingency& table) {
  const auto n = static_cast<double>(table.cells);
  double sum = 0;
  for (const auto& entry : table.entries) {
    const double both = static_cast<double>(entry.cells) / n;
    const double expected =
        (static_cast<double>(table.cells_of_a[entry.a]) / n) * (static_cast<double>(table.cells_of_b[entry.b]) / n);
    sum += both * std::log(both / expected);
  }
  return sum;
}

/// The largest sum of gain[row][match of row] over all ways to give every row (0 .. rows-1) a column of its own, where
/// rows <= columns: shortest augmenting paths with potentials (Jonker and Volgenant 1987) on costs -gain.
std::int64_t best_matching(const std::vector<std::vector<std::int64_t>>& gain) {
  constexpr std::size_t free = std::numeric_limits<std::size_t>::max();
  const std::size_t rows = gain.size();
  const std::size_t columns = gain.front().size();
  std::vector<std::int64_t> row_potential(rows, 0);
  std::vector<std::int64_t> column_potential(columns, 0);
  std::vector<std::size_t> row_of(columns, free);
  for (std::size_t start = 0; start < rows; ++start) {
    std::vector<std::int64_t> distance(columns, std::numeric_limits<std::int64_t>::max());
    std::vector<std::size_t> before(columns, free);  // the column before on the path; free: the path's first
    std::vector<bool> done(columns, false);
    std::size_t row = start;
    std::size_t reached = free;
    std::int64_t length = 0;  // of the path to `row`
    while (true) {
      std::size_t nearest = free;
      for (std::size_t column = 0; column < columns; ++column) {
        if (done[column]) continue;
        const std::int64_t step = length - gain[row][column] - row_potential[row] - column_potential[column];
        if (step < distance[column]) {
          distance[column] = step;
          before[column] = reached;
        }
        if (nearest == free || distance[column] < distance[nearest]) nearest = column;
      }
      done[nearest] = true;
      reached = nearest;
      length = distance[nearest];
      if (row_of[nearest] == free) break;
      row = row_of[nearest];
    }
    row_potential[start] += length;
    for (std::size_t column = 0; column < columns; ++column) {
      if (!done[column] || column == reached) continue;
      row_potential[row_of[column]] += length - distance[column];
      column_potential[column] -= length - distance[column];
    }
    while (reached != free) {
      const std::size_t previous = before[reached];
      row_of[reached] = previous == free ? start : row_of[previous];
      reached = previous;
    }
  }
  std::int64_t sum = 0;
  for (std::size_t column = 0; column < columns; ++column)
    if (row_of[column] != free) sum += gain[row_of[column]][column];
  return sum;
}

}  // namespace

LabelledCells labelled_cells(const Labels& labels, std::span<const std::int32_t> clusters) {
  ensure(labels.codes.size() == clusters.size(), "labels and clusters are of the same cells");
  LabelledCells both;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (labels.codes[i] < 0) continue;
    both.labels.push_back(labels.codes[i]);
    both.clusters.push_back(clusters[i]);
  }
  return both;
}

std::int64_t count_categories(const Labels& labels) {
  std::set<std::int32_t> found(labels.codes.begin(), labels.codes.end());
  found.erase(-1);
  return static_cast<std::int64_t>(found.size());
}

double adjusted_rand_index(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const Contingency table = count(a, b);
  double together = 0;
  for (const auto& entry : table.entries)
    together += static_cast<double>(entry.cells) * static_cast<double>(entry.cells);
  // Ordered pairs of cells: together in both, in b only, in a only, in neither (exact up to 2^53 pairs).
  const auto n = static_cast<double>(table.cells);
  const double both = together - n;
  const double only_b = squares(table.cells_of_b) - together;
  const double only_a = squares(table.cells_of_a) - together;
  const double neither = n * n - n - both - only_a - only_b;
  if (only_a == 0 && only_b == 0) return 1;
  return 2 * (both * neither - only_a * only_b) /
         ((both + only_a) * (only_a + neither) + (both + only_b) * (only_b + neither));
}

double normalized_mutual_information(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const Contingency table = count(a, b);
  if (table.cells_of_a.size() < 2 && table.cells_of_b.size() < 2) return 1;
  const double information = mutual_information(table);
  if (information <= std::numeric_limits<double>::epsilon()) return 0;
  return 2 * information / (entropy(table.cells_of_a, table.cells) + entropy(table.cells_of_b, table.cells));
}

double clustering_accuracy(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const Contingency table = count(a, b);
  if (table.cells == 0) return 0;
  const bool turn = table.cells_of_a.size() > table.cells_of_b.size();  // rows are the fewer
  const std::size_t rows = turn ? table.cells_of_b.size() : table.cells_of_a.size();
  std::vector<std::vector<std::int64_t>> together(
      rows, std::vector<std::int64_t>(turn ? table.cells_of_a.size() : table.cells_of_b.size(), 0));
  for (const auto& entry : table.entries) together[turn ? entry.b : entry.a][turn ? entry.a : entry.b] = entry.cells;
  return static_cast<double>(best_matching(together)) / static_cast<double>(table.cells);
}

}  // namespace masksc
