#include "masksc/metrics/silhouette.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

#include "distance_sums.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/exact_sum.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

using detail::group_rows;
using detail::tile_rows;

constexpr std::int64_t block_rows = 2048;         // global rows that stream past at once
constexpr std::int64_t piece_bytes = 128 * 1024;  // of a block, so that it stays in the cache while all groups pass
constexpr std::int64_t sums_bytes = 64 * 1024 * 1024;
constexpr std::size_t sample_parts = 10;  // of a sample, whose means tell how far its own may be off

/// The clusters of all cells, numbered 0, 1, ... in ascending order of label.
struct Clusters {
  std::vector<std::int32_t> local;  // number of the cluster of each local cell
  std::vector<std::int64_t> cells;  // in each cluster, over all ranks
};

Clusters number_clusters(std::span<const std::int32_t> labels, Collectives& ranks) {
  const auto reduce = [](std::vector<std::int32_t> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  };
  const auto mine = reduce({labels.begin(), labels.end()});
  const auto names = reduce(ranks.all_gather_varied(std::span<const std::int32_t>(mine)));
  Clusters clusters;
  clusters.cells.resize(names.size());
  for (const std::int32_t label : labels) {
    const auto number = std::lower_bound(names.begin(), names.end(), label) - names.begin();
    clusters.local.push_back(static_cast<std::int32_t>(number));
    ++clusters.cells[static_cast<std::size_t>(number)];
  }
  ranks.all_reduce(std::span(clusters.cells));
  return clusters;
}

/// Rows packed by `height`: [ceil(rows / height), columns, height]; rows that are missing from the last are 0.
struct Packed {
  std::vector<double> values;
  void place(std::span<const float> row, std::int64_t at, std::int64_t height) {
    const auto columns = static_cast<std::int64_t>(row.size());
    double* to = values.data() + (at / height) * columns * height + at % height;
    for (const float v : row) {
      *to = static_cast<double>(v);
      to += height;
    }
  }
};

/// A block of consecutive global rows, sorted by cluster; a cluster starts a new tile.
struct Block {
  struct Piece {
    std::int32_t cluster;
    std::int64_t first_tile, tiles;
  };
  Packed rows;
  std::vector<double> weights;  // 1 for a row, 0 for what fills a tile
  std::vector<Piece> pieces;
};

Block arrange(const DenseMatrix& rows, const std::vector<std::int32_t>& clusters) {
  std::vector<std::size_t> order(clusters.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return clusters[a] < clusters[b]; });
  std::vector<std::int64_t> places(order.size());
  std::int64_t next = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && clusters[order[i]] != clusters[order[i - 1]]) next = (next + tile_rows - 1) / tile_rows * tile_rows;
    places[i] = next++;
  }
  const std::int64_t tiles = (next + tile_rows - 1) / tile_rows;
  const std::int64_t most_tiles =
      std::max<std::int64_t>(1, piece_bytes / (8 * tile_rows * std::max<std::int64_t>(1, rows.columns)));
  Block block;
  block.rows.values.resize(static_cast<std::size_t>(tiles * rows.columns * tile_rows));
  block.weights.resize(static_cast<std::size_t>(tiles * tile_rows));
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto row = static_cast<std::int64_t>(order[i]);
    block.rows.place(rows.row(row), places[i], tile_rows);
    block.weights[static_cast<std::size_t>(places[i])] = 1;
    const std::int64_t tile = places[i] / tile_rows;
    const bool same = !block.pieces.empty() && block.pieces.back().cluster == clusters[order[i]];
    if (!same || tile >= block.pieces.back().first_tile + most_tiles) {
      block.pieces.push_back({clusters[order[i]], tile, 0});
    }
    block.pieces.back().tiles = tile - block.pieces.back().first_tile + 1;
  }
  return block;
}

/// The global rows [begin, end) with their clusters, from the ranks that own them. A collective.
Block fetch_block(const DealtRows& dealt, const Clusters& clusters, std::int64_t columns, RowRange wanted,
                  Collectives& ranks) {
  const RowRange rows = dealt.rows;
  const std::int64_t first = std::clamp(wanted.begin, rows.begin, rows.end) - rows.begin;
  const std::int64_t last = std::clamp(wanted.end, rows.begin, rows.end) - rows.begin;
  const auto count = static_cast<std::size_t>(last - first);
  DenseMatrix all;
  all.rows = wanted.size();
  all.columns = columns;
  all.values = ranks.all_gather_varied(std::span<const float>(dealt.local.values.data() + first * dealt.local.columns,
                                                              count * static_cast<std::size_t>(columns)));
  return arrange(all, ranks.all_gather_varied(std::span<const std::int32_t>(clusters.local.data() + first, count)));
}

/// sums[row, cluster] of distances from the rows of `chunk` (local numbers) to all cells.
std::vector<double> sum_distances(const DealtRows& dealt, const Clusters& clusters, RowRange chunk,
                                  std::int64_t columns, Collectives& ranks, const std::function<void()>& poll) {
  const std::int64_t groups = (chunk.size() + group_rows - 1) / group_rows;
  const auto width = static_cast<std::int64_t>(clusters.cells.size());
  Packed mine;
  mine.values.resize(static_cast<std::size_t>(groups * columns * group_rows));
  for (std::int64_t i = 0; i < chunk.size(); ++i) mine.place(dealt.local.row(chunk.begin + i), i, group_rows);
  std::vector<double> sums(static_cast<std::size_t>(groups * group_rows * width));
  for (std::int64_t begin = 0; begin < dealt.cells; begin += block_rows) {
    if (poll) poll();
    const RowRange wanted = {begin, std::min(begin + block_rows, dealt.cells)};
    const Block block = fetch_block(dealt, clusters, columns, wanted, ranks);
    for (const auto& piece : block.pieces) {
      const double* tiles = block.rows.values.data() + piece.first_tile * columns * tile_rows;
      const double* weights = block.weights.data() + piece.first_tile * tile_rows;
      for (std::int64_t group = 0; group < groups; ++group) {
        std::array<double, group_rows> sum = {};
        detail::add_distances(mine.values.data() + group * columns * group_rows, tiles, weights, piece.tiles, columns,
                              sum.data());
        for (std::size_t r = 0; r < sum.size(); ++r) {
          const std::int64_t row = group * group_rows + static_cast<std::int64_t>(r);
          sums[static_cast<std::size_t>(row * width + piece.cluster)] += sum[r];
        }
      }
    }
  }
  return sums;
}

/// (b - a) / max(a, b) with a the mean distance to the other cells of the own cluster, b that to the nearest other.
double silhouette_of(std::span<const double> sums, std::size_t own, const std::vector<std::int64_t>& cells) {
  if (cells[own] < 2) return 0;
  const double a = sums[own] / static_cast<double>(cells[own] - 1);
  double b = std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (c != own) b = std::min(b, sums[c] / static_cast<double>(cells[c]));
  }
  return std::max(a, b) > 0 ? (b - a) / std::max(a, b) : 0;
}

/// Mean of the values of all ranks, with the same bits however they are dealt out.
double mean_of(const std::vector<double>& local, Collectives& ranks) {
  const auto count = static_cast<double>(ranks.all_reduce(static_cast<std::int64_t>(local.size())));
  ExactSums sum(1);
  for (const double v : local) sum.add(0, v);
  ranks.all_reduce(sum.words());
  return sum.value(0) / count;
}

}  // namespace

std::optional<std::vector<double>> silhouette_values(const DealtRows& dealt, std::span<const std::int32_t> local_labels,
                                                     Collectives& ranks, const std::function<void()>& poll) {
  const std::int64_t columns = check_dealt_rows(dealt, ranks);
  together(ranks,
           [&] { ensure(std::cmp_equal(local_labels.size(), dealt.rows.size()), "silhouette: one label a row"); });
  check_finite(dealt, "silhouette", ranks);
  const Clusters clusters = number_clusters(local_labels, ranks);
  const auto width = static_cast<std::int64_t>(clusters.cells.size());
  if (width < 2 || width > dealt.cells - 1) return std::nullopt;

  // Every rank takes the same number of rounds over all blocks, each for as many of its rows as its memory allows.
  const std::int64_t chunk = std::max<std::int64_t>(group_rows, sums_bytes / (8 * width));
  const std::int64_t rounds = ranks.all_reduce((dealt.rows.size() + chunk - 1) / chunk, ReduceOp::max);
  std::vector<double> values;
  values.reserve(local_labels.size());
  for (std::int64_t round = 0; round < rounds; ++round) {
    const RowRange part = {std::min(round * chunk, dealt.rows.size()),
                           std::min((round + 1) * chunk, dealt.rows.size())};
    const auto sums = sum_distances(dealt, clusters, part, columns, ranks, poll);
    for (std::int64_t i = 0; i < part.size(); ++i) {
      const auto own = static_cast<std::size_t>(clusters.local[static_cast<std::size_t>(part.begin + i)]);
      const std::span<const double> row(sums.data() + i * width, static_cast<std::size_t>(width));
      values.push_back(silhouette_of(row, own, clusters.cells));
    }
  }
  return values;
}

std::optional<double> silhouette(const DealtRows& dealt, std::span<const std::int32_t> local_labels, Collectives& ranks,
                                 const std::function<void()>& poll) {
  const auto values = silhouette_values(dealt, local_labels, ranks, poll);
  if (!values) return std::nullopt;
  return mean_of(*values, ranks);
}

namespace {

/// The mean silhouette of the `chosen` cells among themselves.
std::optional<double> silhouette_among(const std::vector<std::int64_t>& chosen, const DealtRows& dealt,
                                       std::span<const std::int32_t> local_labels, Collectives& ranks,
                                       const std::function<void()>& poll) {
  const DealtSample taken = take_rows(dealt, chosen);
  return silhouette(taken.dealt(), taken.labels_of(local_labels, dealt.rows.begin), ranks, poll);
}

/// Standard deviation of the values (n - 1) / sqrt(n); 0 of fewer than two.
double error_of_mean(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (count - 1) / count);
}

}  // namespace

std::optional<SilhouetteScore> silhouette_score(const DealtRows& dealt, std::span<const std::int32_t> local_labels,
                                                const SilhouetteSample& sample, Collectives& ranks,
                                                const std::function<void()>& poll) {
  if (dealt.cells <= sample.most_cells) {
    const auto mean = silhouette(dealt, local_labels, ranks, poll);
    if (!mean) return std::nullopt;
    return SilhouetteScore{.mean = *mean, .cells = dealt.cells};
  }
  together(ranks,
           [&] { ensure(std::cmp_equal(local_labels.size(), dealt.rows.size()), "silhouette: one label a row"); });
  const std::vector<std::int64_t> chosen = sample_rows(dealt.cells, sample.size, sample.seed);
  const auto mean_among = [&](const std::vector<std::int64_t>& some) {
    return silhouette_among(some, dealt, local_labels, ranks, poll);
  };
  const auto mean = mean_among(chosen);
  if (!mean) return std::nullopt;
  std::vector<double> of_parts;
  for (std::size_t part = 0; part < sample_parts; ++part) {
    std::vector<std::int64_t> some;
    for (std::size_t i = part; i < chosen.size(); i += sample_parts) some.push_back(chosen[i]);
    if (const auto found = mean_among(some)) of_parts.push_back(*found);
  }
  return SilhouetteScore{.mean = *mean, .standard_error = error_of_mean(of_parts), .cells = std::ssize(chosen)};
}

}  // namespace masksc
