#include "masksc/cluster/transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "masksc/cluster/neighbours.hpp"
#include "masksc/core/error.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

constexpr std::int64_t limit_cells = 10'000;
constexpr double own_share = 0.99;

double mean_distance(std::span<const float> cell, const DenseMatrix& rows, std::span<const std::int32_t> near) {
  double sum = 0;
  for (const std::int32_t row : near) sum += distance_between(cell, rows.row(row));
  return near.empty() ? 0 : sum / static_cast<double>(near.size());
}

/// The distance beyond which 1 % of the reference's cells are from their neighbours.
double limit_of(const DenseMatrix& rows, std::int64_t neighbours, int threads) {
  const std::vector<std::int64_t> sample = sample_rows(rows.rows, limit_cells, 0);
  const DenseMatrix queries = take_rows(rows, sample);
  std::vector<double> distances(sample.size());
  // One more neighbour, for a cell is found as its own.
  const auto table = nearest_rows(queries, rows, neighbours + 1, -1, threads);
  for (std::int64_t query = 0; query < queries.rows; ++query) {
    std::vector<std::int32_t> others;
    for (const std::int32_t row : table.of(query))
      if (row != sample[static_cast<std::size_t>(query)]) others.push_back(row);
    if (static_cast<std::int64_t>(others.size()) > neighbours) others.pop_back();
    distances[static_cast<std::size_t>(query)] = mean_distance(queries.row(query), rows, others);
  }
  const auto place = static_cast<std::ptrdiff_t>(own_share * static_cast<double>(distances.size() - 1));
  std::nth_element(distances.begin(), distances.begin() + place, distances.end());
  return distances[static_cast<std::size_t>(place)];
}

struct Vote {
  std::int32_t label = -1;
  double share = 0;
};

Vote vote_of(const Labels& labels, std::span<const std::int32_t> near) {
  std::map<std::int32_t, std::int64_t> votes;
  for (const std::int32_t row : near) {
    const std::int32_t label = labels.codes[static_cast<std::size_t>(row)];
    if (label >= 0) ++votes[label];
  }
  Vote best;
  std::int64_t most = 0;
  for (const std::int32_t row : near) {
    const std::int32_t label = labels.codes[static_cast<std::size_t>(row)];
    if (label < 0 || votes[label] <= most) continue;
    most = votes[label];
    best = {label, static_cast<double>(most) / static_cast<double>(near.size())};
  }
  return best;
}

}  // namespace

LabelTransfer transfer_labels(const DenseMatrix& cells, const ReferenceCells& reference, std::int64_t neighbours,
                              int threads) {
  if (reference.features.columns != cells.columns)
    throw UserError(fmt::format("the reference has {} features a cell, the new cells {}: both must come from one model",
                                reference.features.columns, cells.columns));
  if (reference.features.rows < 2)
    throw UserError(fmt::format("the reference has {} cells: labels need at least 2", reference.features.rows));
  ensure(static_cast<std::int64_t>(reference.labels.codes.size()) == reference.features.rows,
         "transfer_labels: one label a reference cell");
  LabelTransfer transfer;
  const auto count = static_cast<std::size_t>(cells.rows);
  transfer.labels.names = reference.labels.names;
  transfer.labels.codes.resize(count);
  transfer.confidence.resize(count);
  transfer.distance.resize(count);
  transfer.novel.resize(count);
  transfer.novel_beyond = limit_of(reference.features, neighbours, threads);
  const auto table = nearest_rows(cells, reference.features, neighbours, -1, threads);
  for (std::int64_t query = 0; query < cells.rows; ++query) {
    const auto at = static_cast<std::size_t>(query);
    const Vote vote = vote_of(reference.labels, table.of(query));
    transfer.labels.codes[at] = vote.label;
    transfer.confidence[at] = vote.share;
    transfer.distance[at] = mean_distance(cells.row(query), reference.features, table.of(query));
    transfer.novel[at] = transfer.distance[at] > transfer.novel_beyond ? 1 : 0;
  }
  return transfer;
}

}  // namespace masksc
