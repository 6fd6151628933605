#include "masksc/data/loader.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "masksc/core/hash.hpp"

namespace masksc {
namespace {

/// Sparse rows in the order in which they go out or came in.
struct RowParcel {
  std::vector<std::int64_t> cells;
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> indices;
  std::vector<float> values;

  void add(std::int64_t cell, std::span<const std::int32_t> row_indices, std::span<const float> row_values) {
    cells.push_back(cell);
    sizes.push_back(static_cast<std::int64_t>(row_indices.size()));
    indices.insert(indices.end(), row_indices.begin(), row_indices.end());
    values.insert(values.end(), row_values.begin(), row_values.end());
  }
};

RowParcel exchange(const RowParcel& out, const std::vector<std::int64_t>& rows_to,
                   const std::vector<std::int64_t>& nonzeros_to, Collectives& ranks) {
  RowParcel in;
  in.cells = ranks.all_to_all(std::span(out.cells), rows_to);
  in.sizes = ranks.all_to_all(std::span(out.sizes), rows_to);
  in.indices = ranks.all_to_all(std::span(out.indices), nonzeros_to);
  in.values = ranks.all_to_all(std::span(out.values), nonzeros_to);
  return in;
}

}  // namespace

BatchPlan::BatchPlan(std::int64_t cell_count, std::int64_t global_batch)
    : cells(cell_count), steps((cell_count + global_batch - 1) / global_batch) {}

std::int64_t BatchPlan::total_steps(std::int64_t epochs, std::int64_t max_steps) const {
  return max_steps > 0 ? std::min(epochs * steps, max_steps) : epochs * steps;
}

std::int64_t BatchPlan::step_of(std::int64_t position) const {
  std::int64_t step = std::min(position * steps / cells, steps - 1);
  while (step + 1 < steps && batch(step).end <= position) ++step;
  while (step > 0 && batch(step).begin > position) --step;
  return step;
}

RowRange BatchPlan::slice(std::int64_t step, int part, int parts) const {
  const RowRange whole = batch(step);
  const RowRange slice = rows_of_rank(whole.size(), part, parts);
  return {whole.begin + slice.begin, whole.begin + slice.end};
}

std::int64_t BatchPlan::padded_rows(int parts) const {
  const std::int64_t largest_batch = (cells + steps - 1) / steps;
  return (largest_batch + parts - 1) / parts;
}

Densifier::Densifier(const Expression& expression)
    : slot_of_column_(static_cast<std::size_t>(expression.values.columns), -1), scaling_(expression.scaling) {
  const MatrixLayout& layout = expression.layout;
  const std::int64_t patch_genes = layout.patch_genes();
  for (std::int64_t token = 0; token < layout.tokens(); ++token) {
    if (layout.token_has_genes[static_cast<std::size_t>(token)] == 0) continue;
    for (std::int64_t i = 0; i < patch_genes; ++i) {
      const std::int32_t column = layout.slot_to_column[static_cast<std::size_t>(token * patch_genes + i)];
      float zero = 0;
      if (column >= 0) {
        const auto c = static_cast<std::size_t>(column);
        slot_of_column_[c] = static_cast<std::int32_t>(zero_row_.size());
        zero = scaling_.scaled(c, 0);
      }
      zero_row_.push_back(zero);
    }
  }
}

void Densifier::fill(std::span<const std::int32_t> indices, std::span<const float> values, std::span<float> out) const {
  std::copy(zero_row_.begin(), zero_row_.end(), out.begin());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto column = static_cast<std::size_t>(indices[i]);
    out[static_cast<std::size_t>(slot_of_column_[column])] = scaling_.scaled(column, values[i]);
  }
}

Loader::Loader(const Expression& expression, std::int64_t global_batch, std::uint64_t seed, std::uint32_t stage,
               Collectives& ranks, int parts)
    : expression_(expression),
      ranks_(ranks),
      plan_(expression.cells, global_batch),
      parts_(parts > 0 ? parts : ranks.size()),
      parts_of_rank_(parts_ / ranks.size()),
      part_rows_(plan_.padded_rows(parts_)),
      seed_(seed),
      stage_(stage),
      densifier_(expression) {
  ensure(parts_ % ranks.size() == 0, "every rank has the same number of parts");
}

void Loader::start_epoch(std::uint32_t epoch) {
  const int size = ranks_.size();
  const std::vector<std::int64_t> order =
      random_permutation(expression_.cells, seed_, Purpose::permutation, 2 * epoch + stage_);
  Hasher hasher;
  hasher.add(std::span<const std::int64_t>(order));
  order_hash_ = hasher.hex();
  const RowRange mine = expression_.rows;

  // Positions of my rows, and which rank computes them.
  std::vector<std::vector<std::int64_t>> positions_to(static_cast<std::size_t>(size));
  std::vector<std::int64_t> counts_from(static_cast<std::size_t>(size));
  std::vector<std::int64_t> my_positions;
  part_start_.assign(1, 0);
  for (std::int64_t step = 0; step < plan_.steps; ++step)
    for (int part = 0; part < parts_; ++part) {
      const int rank = part / parts_of_rank_;
      const RowRange slice = plan_.slice(step, part, parts_);
      if (rank == ranks_.rank()) part_start_.push_back(part_start_.back() + slice.size());
      for (std::int64_t position = slice.begin; position < slice.end; ++position) {
        const std::int64_t cell = order[static_cast<std::size_t>(position)];
        if (cell >= mine.begin && cell < mine.end) positions_to[static_cast<std::size_t>(rank)].push_back(position);
        if (rank == ranks_.rank()) my_positions.push_back(position);
      }
    }

  RowParcel out;
  std::vector<std::int64_t> rows_to;
  std::vector<std::int64_t> nonzeros_to;
  for (const auto& positions : positions_to) {
    const auto before = static_cast<std::int64_t>(out.indices.size());
    for (const std::int64_t position : positions) {
      const std::int64_t cell = order[static_cast<std::size_t>(position)];
      out.add(cell, expression_.values.row_indices(cell - mine.begin),
              expression_.values.row_values(cell - mine.begin));
    }
    rows_to.push_back(static_cast<std::int64_t>(positions.size()));
    nonzeros_to.push_back(static_cast<std::int64_t>(out.indices.size()) - before);
  }
  const RowParcel in = exchange(out, rows_to, nonzeros_to, ranks_);
  ensure(in.cells.size() == my_positions.size(), "the rows of an epoch all arrive");

  // What came in, in the order of my positions.
  std::vector<std::int64_t> position_of(static_cast<std::size_t>(expression_.cells));
  for (std::size_t p = 0; p < order.size(); ++p)
    position_of[static_cast<std::size_t>(order[p])] = static_cast<std::int64_t>(p);
  std::vector<std::size_t> starts(in.sizes.size() + 1, 0);
  for (std::size_t i = 0; i < in.sizes.size(); ++i) starts[i + 1] = starts[i] + static_cast<std::size_t>(in.sizes[i]);
  std::vector<std::size_t> arrival(in.cells.size());
  std::iota(arrival.begin(), arrival.end(), std::size_t{0});
  std::sort(arrival.begin(), arrival.end(), [&](std::size_t a, std::size_t b) {
    return position_of[static_cast<std::size_t>(in.cells[a])] < position_of[static_cast<std::size_t>(in.cells[b])];
  });

  epoch_rows_ = CsrMatrix{};
  epoch_rows_.columns = expression_.values.columns;
  epoch_rows_.rows = static_cast<std::int64_t>(arrival.size());
  epoch_rows_.indices.reserve(in.indices.size());
  epoch_rows_.values.reserve(in.values.size());
  epoch_cells_.clear();
  for (const std::size_t i : arrival) {
    epoch_cells_.push_back(in.cells[i]);
    const auto from = static_cast<std::ptrdiff_t>(starts[i]);
    const auto to = static_cast<std::ptrdiff_t>(starts[i + 1]);
    epoch_rows_.indices.insert(epoch_rows_.indices.end(), in.indices.begin() + from, in.indices.begin() + to);
    epoch_rows_.values.insert(epoch_rows_.values.end(), in.values.begin() + from, in.values.begin() + to);
    epoch_rows_.row_start.push_back(static_cast<std::int64_t>(epoch_rows_.indices.size()));
  }
}

Batch Loader::batch(std::int64_t step) const {
  const auto first_part = static_cast<std::size_t>(step * parts_of_rank_);
  ensure(first_part + 1 < part_start_.size(), "a batch of a started epoch");
  Batch batch;
  batch.rows = rows();
  batch.part_rows = part_rows_;
  batch.global_cells = plan_.batch(step).size();
  batch.cells.assign(static_cast<std::size_t>(batch.rows), -1);
  batch.weights.assign(static_cast<std::size_t>(batch.rows), 0.0F);
  const auto width = static_cast<std::size_t>(densifier_.width());
  batch.values.assign(static_cast<std::size_t>(batch.rows) * width, 0.0F);
  for (int part = 0; part < parts_of_rank_; ++part) {
    const std::int64_t first = part_start_[first_part + static_cast<std::size_t>(part)];
    const std::int64_t real = part_start_[first_part + static_cast<std::size_t>(part) + 1] - first;
    for (std::int64_t i = 0; i < real; ++i) {
      const auto at = static_cast<std::size_t>(part * part_rows_ + i);
      batch.cells[at] = epoch_cells_[static_cast<std::size_t>(first + i)];
      batch.weights[at] = 1.0F;
      densifier_.fill(epoch_rows_.row_indices(first + i), epoch_rows_.row_values(first + i),
                      std::span(batch.values).subspan(at * width, width));
    }
    batch.part_real.push_back(real);
    batch.real += real;
  }
  return batch;
}

}  // namespace masksc
