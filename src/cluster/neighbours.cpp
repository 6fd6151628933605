#include "masksc/cluster/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "masksc/core/on_threads.hpp"
#include "masksc/dist/collectives.hpp"
#include "tile_kernels.hpp"
#include "tiled_rows.hpp"

namespace masksc {
namespace {

using detail::pack_centres;
using detail::pack_rows;
using detail::squared_distances;
using detail::tile_rows;
using detail::TiledRows;

constexpr std::int64_t batch_queries = 32;
constexpr std::int64_t batch_tiles = 80;  // of rows: their distances to a batch of queries stay in the cache

/// The nearest rows met so far: a heap, the farthest first.
class Nearest {
 public:
  explicit Nearest(std::size_t count) : count_(count) {}

  /// Rows `first`, `first` + 1, ... at these squared distances, in ascending order over all calls; not the row `self`.
  void meet(std::span<const float> squared, std::int32_t first, std::int32_t self) {
    for (std::size_t i = 0; i < squared.size(); ++i) {
      if (heap_.size() == count_ && squared[i] >= heap_.front().first) continue;
      const std::int32_t row = first + static_cast<std::int32_t>(i);
      if (row == self) continue;
      if (heap_.size() == count_) {
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
      }
      heap_.emplace_back(squared[i], row);
      std::push_heap(heap_.begin(), heap_.end());
    }
  }
  void write_to(std::int32_t* rows) {
    std::sort_heap(heap_.begin(), heap_.end());
    for (const auto& entry : heap_) *rows++ = entry.second;
  }

 private:
  std::size_t count_;
  std::vector<std::pair<float, std::int32_t>> heap_;
};

/// The queries [begin, end), centred and scaled as `data`.
std::vector<float> scale_queries(const DenseMatrix& queries, RowRange batch, const TiledRows& data) {
  std::vector<float> scaled;
  for (std::int64_t q = batch.begin; q < batch.end; ++q) {
    const auto row = queries.row(q);
    for (std::size_t f = 0; f < row.size(); ++f) {
      scaled.push_back(static_cast<float>(static_cast<double>(row[f] - data.mean[f]) * data.scale));
    }
  }
  return scaled;
}

/// Fills in the rows of `table` of the queries in `batch`, which has at most batch_queries.
void find_nearest(const DenseMatrix& queries, RowRange batch, const TiledRows& data, std::int64_t first_self,
                  NeighbourTable& table) {
  constexpr std::int64_t stride = batch_tiles * tile_rows;
  std::vector<float> squared(static_cast<std::size_t>(batch_queries * stride));
  const auto packed = pack_centres(scale_queries(queries, batch, data), batch.size(), data.columns);
  std::vector<Nearest> nearest(static_cast<std::size_t>(batch.size()), Nearest(static_cast<std::size_t>(table.count)));
  for (std::int64_t tile = 0; tile < data.tiles(); tile += batch_tiles) {
    const std::int64_t last = std::min(tile + batch_tiles, data.tiles());
    for (std::int64_t t = tile; t < last; ++t) {
      squared_distances(data.tile(t), data.columns, packed, stride, squared.data() + (t - tile) * tile_rows);
    }
    const std::int64_t first = tile * tile_rows;
    const auto size = static_cast<std::size_t>(std::min(last * tile_rows, data.rows) - first);
    for (std::int64_t q = 0; q < batch.size(); ++q) {
      const std::int64_t self = first_self >= 0 ? first_self + batch.begin + q : -1;
      nearest[static_cast<std::size_t>(q)].meet({squared.data() + q * stride, size}, static_cast<std::int32_t>(first),
                                                static_cast<std::int32_t>(self));
    }
  }
  for (std::int64_t q = 0; q < batch.size(); ++q)
    nearest[static_cast<std::size_t>(q)].write_to(table.rows.data() + (batch.begin + q) * table.count);
}

/// Gives each of the queries that are among more identical rows than it has neighbours those that follow it.
void spread_over_identical(const DenseMatrix& rows, RowRange selves, NeighbourTable& table) {
  std::unordered_map<std::string_view, std::vector<std::int32_t>> same;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const auto row = rows.row(r);
    same[{reinterpret_cast<const char*>(row.data()), row.size_bytes()}].push_back(static_cast<std::int32_t>(r));
  }
  for (const auto& [_, group] : same) {
    if (std::ssize(group) <= table.count + 1) continue;
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (group[i] < selves.begin || group[i] >= selves.end) continue;
      std::int32_t* const near = table.rows.data() + (group[i] - selves.begin) * table.count;
      for (std::int64_t n = 0; n < table.count; ++n)
        near[n] = group[(i + 1 + static_cast<std::size_t>(n)) % group.size()];
    }
  }
}

}  // namespace

double distance_between(std::span<const float> a, std::span<const float> b) {
  double squared = 0;
  for (std::size_t f = 0; f < a.size(); ++f) {
    const double difference = static_cast<double>(a[f]) - static_cast<double>(b[f]);
    squared += difference * difference;
  }
  return std::sqrt(squared);
}

NeighbourTable nearest_rows(const DenseMatrix& queries, const DenseMatrix& rows, std::int64_t count,
                            std::int64_t first_self, int threads) {
  const auto alone = single_rank();
  const TiledRows data = pack_rows(undealt(rows), rows.columns, *alone);
  NeighbourTable table;
  table.count = std::clamp<std::int64_t>(rows.rows - (first_self >= 0 ? 1 : 0), 0, count);
  if (table.count == 0) return table;
  table.rows.resize(static_cast<std::size_t>(queries.rows * table.count));
  on_threads(threads, (queries.rows + batch_queries - 1) / batch_queries, [&](std::int64_t batch, int /*thread*/) {
    const std::int64_t begin = batch * batch_queries;
    find_nearest(queries, {begin, std::min(begin + batch_queries, queries.rows)}, data, first_self, table);
  });
  if (first_self >= 0) spread_over_identical(rows, {first_self, first_self + queries.rows}, table);
  return table;
}

}  // namespace masksc
