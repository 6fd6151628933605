#include "lloyd.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "seeding.hpp"
#include "tile_kernels.hpp"

namespace masksc::detail {
namespace {

/// The labels of the local rows, and exact sums over the rows of each cluster that follow every change of a label.
struct Assignment {
  std::vector<std::int32_t> labels;  // -1 at first
  std::vector<std::int64_t> sums;    // [clusters, columns] in fixed point, of the local rows
  std::vector<std::int64_t> counts;  // [clusters] local rows; then the labels changed in the last pass

  Assignment(const TiledRows& data, std::int64_t clusters)
      : labels(static_cast<std::size_t>(data.rows), -1),
        sums(static_cast<std::size_t>(clusters * data.columns)),
        counts(static_cast<std::size_t>(clusters) + 1) {}
};

void add_row(const TiledRows& data, std::int64_t row, std::int64_t sign, std::int64_t* sums) {
  const float* values = data.row(row);
  for (std::int64_t f = 0; f < data.columns; ++f) {
    sums[f] += sign * to_fixed(values[f * tile_rows], data.quantum_scale[static_cast<std::size_t>(f)]);
  }
}

/// What the changes of labels that one thread has seen add to the sums and counts.
struct Changes {
  std::vector<std::int64_t> sums, counts;
};

/// Gives the rows of a tile their nearest centres.
void assign_tile(const TiledRows& data, const PackedCentres& centres, std::int64_t tile,
                 std::vector<std::int32_t>& labels, Changes& changes) {
  std::array<std::int32_t, tile_rows> nearest{};
  nearest_centres(data.tile(tile), data.columns, centres, nearest.data());
  const std::int64_t end = std::min((tile + 1) * tile_rows, data.rows);
  for (std::int64_t row = tile * tile_rows; row < end; ++row) {
    const std::int32_t to = nearest[static_cast<std::size_t>(row - tile * tile_rows)];
    std::int32_t& label = labels[static_cast<std::size_t>(row)];
    if (label == to) continue;
    if (label >= 0) {
      add_row(data, row, -1, changes.sums.data() + label * data.columns);
      --changes.counts[static_cast<std::size_t>(label)];
    }
    add_row(data, row, 1, changes.sums.data() + to * data.columns);
    ++changes.counts[static_cast<std::size_t>(to)];
    ++changes.counts.back();
    label = to;
  }
}

/// Gives each local row its nearest centre and brings the sums up to date.
void assign(const TiledRows& data, const PackedCentres& centres, Assignment& now) {
  now.counts.back() = 0;
  std::vector<Changes> of_thread(static_cast<std::size_t>(std::max(1, data.threads)));
  for_blocks_of_tiles(data, [&](std::int64_t begin, std::int64_t end, int thread) {
    Changes& changes = of_thread[static_cast<std::size_t>(thread)];
    changes.sums.resize(now.sums.size());
    changes.counts.resize(now.counts.size());
    for (std::int64_t t = begin; t < end; ++t) assign_tile(data, centres, t, now.labels, changes);
  });
  const auto add = [](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& some) {
    for (std::size_t i = 0; i < some.size(); ++i) to[i] += some[i];
  };
  for (const Changes& changes : of_thread) {
    add(now.sums, changes.sums);
    add(now.counts, changes.counts);
  }
}

/// |row - its centre|^2 of each local row, in double.
std::vector<double> distances_to_own(const TiledRows& data, const std::vector<float>& centres,
                                     const std::vector<std::int32_t>& labels) {
  std::vector<double> squared(labels.size());
  for_blocks_of_tiles(data, [&](std::int64_t begin, std::int64_t end, int /*thread*/) {
    for (std::int64_t r = begin * tile_rows; r < std::min(end * tile_rows, data.rows); ++r) {
      const float* row = data.row(r);
      const float* centre = centres.data() + labels[static_cast<std::size_t>(r)] * data.columns;
      double sum = 0;
      for (std::int64_t f = 0; f < data.columns; ++f) {
        const double difference = static_cast<double>(row[f * tile_rows]) - static_cast<double>(centre[f]);
        sum += difference * difference;
      }
      squared[static_cast<std::size_t>(r)] = sum;
    }
  });
  return squared;
}

struct FarRow {
  double squared;
  std::int64_t row;  // global
  std::int32_t label;
};

/// At most `count` rows farthest from their centres over all ranks, the farthest first. Rows as near as rounding lets a
/// row be to its own mean are left out: moving a centre onto them gains nothing. A collective.
std::vector<FarRow> farthest_rows(const TiledRows& data, const std::vector<float>& centres,
                                  const std::vector<std::int32_t>& labels, std::size_t count, Collectives& ranks) {
  const auto farther = [](const FarRow& a, const FarRow& b) {
    return a.squared != b.squared ? a.squared > b.squared : a.row < b.row;
  };
  const auto keep_farthest = [&](std::vector<FarRow>& rows) {
    const std::size_t kept = std::min(count, rows.size());
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end(), farther);
    rows.resize(kept);
  };
  const double rounding = 0x1p-48 * static_cast<double>(data.columns);
  const auto squared = distances_to_own(data, centres, labels);
  std::vector<FarRow> mine;
  for (std::size_t r = 0; r < squared.size(); ++r) {
    if (squared[r] > rounding) mine.push_back({squared[r], data.first + static_cast<std::int64_t>(r), labels[r]});
  }
  keep_farthest(mine);
  std::vector<double> far;
  std::vector<std::int64_t> where;
  for (const FarRow& row : mine) {
    far.push_back(row.squared);
    where.insert(where.end(), {row.row, row.label});
  }
  const auto all_far = ranks.all_gather_varied(std::span<const double>(far));
  const auto all_where = ranks.all_gather_varied(std::span<const std::int64_t>(where));
  std::vector<FarRow> all;
  for (std::size_t i = 0; i < all_far.size(); ++i) {
    all.push_back({all_far[i], all_where[2 * i], static_cast<std::int32_t>(all_where[2 * i + 1])});
  }
  keep_farthest(all);
  return all;
}

/// Moves one far row to each cluster without rows, in the global sums and counts. Says whether any moved. A collective.
bool fill_empty(const TiledRows& data, const std::vector<float>& centres, const std::vector<std::int32_t>& labels,
                std::vector<std::int64_t>& sums, std::vector<std::int64_t>& counts, Collectives& ranks) {
  std::vector<std::size_t> empty;
  for (std::size_t c = 0; c + 1 < counts.size(); ++c) {
    if (counts[c] == 0) empty.push_back(c);
  }
  if (empty.empty()) return false;
  const auto far = farthest_rows(data, centres, labels, empty.size(), ranks);
  std::vector<std::int64_t> wanted;
  for (const FarRow& row : far) wanted.push_back(row.row);
  const auto rows = fetch_rows(data, wanted, ranks);
  const auto width = static_cast<std::size_t>(data.columns);
  for (std::size_t i = 0; i < far.size(); ++i) {
    const auto from = static_cast<std::size_t>(far[i].label);
    for (std::size_t f = 0; f < width; ++f) {
      const std::int64_t value = to_fixed(rows[i * width + f], data.quantum_scale[f]);
      sums[from * width + f] -= value;
      sums[empty[i] * width + f] += value;
    }
    --counts[from];
    ++counts[empty[i]];
  }
  return !far.empty();
}

/// The means of the clusters; a cluster without rows keeps its centre.
std::vector<float> means(const TiledRows& data, const std::vector<std::int64_t>& sums,
                         const std::vector<std::int64_t>& counts, std::vector<float> centres) {
  const auto width = static_cast<std::size_t>(data.columns);
  for (std::size_t c = 0; c + 1 < counts.size(); ++c) {
    if (counts[c] == 0) continue;
    for (std::size_t f = 0; f < width; ++f) {
      const double mean = static_cast<double>(sums[c * width + f]) / static_cast<double>(counts[c]);
      centres[c * width + f] = static_cast<float>(mean / static_cast<double>(data.quantum_scale[f]));
    }
  }
  return centres;
}

double squared_shift(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

std::vector<std::int32_t> nearest_labels(const TiledRows& data, const std::vector<float>& centres,
                                         std::int64_t clusters) {
  Assignment now(data, clusters);
  assign(data, pack_centres(centres, clusters, data.columns), now);
  return std::move(now.labels);
}

LloydResult lloyd(const TiledRows& data, std::vector<float> centres, const KMeansSettings& settings, Collectives& ranks,
                  const std::function<void()>& poll) {
  LloydResult result;
  Assignment now(data, settings.clusters);
  bool settled = false;  // the labels belong to the centres
  for (bool moving = true; moving && result.iterations < settings.max_iterations; ++result.iterations) {
    if (poll) poll();
    assign(data, pack_centres(centres, settings.clusters, data.columns), now);
    auto sums = now.sums;
    auto counts = now.counts;
    ranks.all_reduce(std::span(sums));
    ranks.all_reduce(std::span(counts));
    const bool filled = fill_empty(data, centres, now.labels, sums, counts, ranks);
    auto next = means(data, sums, counts, centres);
    settled = counts.back() == 0 && !filled;
    moving = !settled && squared_shift(next, centres) > settings.tolerance * data.mean_variance;
    centres = std::move(next);
  }
  if (!settled) assign(data, pack_centres(centres, settings.clusters, data.columns), now);
  auto counts = now.counts;
  ranks.all_reduce(std::span(counts));
  result.empty = std::count(counts.begin(), counts.end() - 1, 0);
  result.inertia = exact_total(distances_to_own(data, centres, now.labels), data, ranks);
  result.labels = std::move(now.labels);
  result.centres = std::move(centres);
  return result;
}

}  // namespace masksc::detail
