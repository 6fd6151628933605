#include "masksc/data/loader.hpp"

#include <algorithm>
#include <utility>

namespace masksc {
namespace {

/// Sparse rows in the order in which they go out or came in.
struct RowParcel {
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> indices;
  std::vector<float> values;

  void add(std::int64_t place, std::span<const std::int32_t> row_indices, std::span<const float> row_values) {
    places.push_back(place);
    sizes.push_back(static_cast<std::int64_t>(row_indices.size()));
    indices.insert(indices.end(), row_indices.begin(), row_indices.end());
    values.insert(values.end(), row_values.begin(), row_values.end());
  }
};

/// Sends each offered row to the rank that `rank_of` its place; `mine` are taken out of what is offered.
RowParcel exchange(CsrMatrix rows, const std::vector<std::int64_t>& places, const std::vector<std::int32_t>& rank_of,
                   Collectives& ranks) {
  RowParcel out;
  out.places.reserve(places.size());
  out.indices.reserve(rows.indices.size());
  out.values.reserve(rows.values.size());
  std::vector<std::int64_t> rows_to;
  std::vector<std::int64_t> nonzeros_to;
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const auto rows_before = static_cast<std::int64_t>(out.places.size());
    const auto before = static_cast<std::int64_t>(out.indices.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (rank_of[static_cast<std::size_t>(places[i])] != rank) continue;
      const auto row = static_cast<std::int64_t>(i);
      out.add(places[i], rows.row_indices(row), rows.row_values(row));
    }
    rows_to.push_back(static_cast<std::int64_t>(out.places.size()) - rows_before);
    nonzeros_to.push_back(static_cast<std::int64_t>(out.indices.size()) - before);
  }
  rows = {};
  RowParcel in;
  in.places = ranks.all_to_all(std::span<const std::int64_t>(out.places), rows_to);
  in.sizes = ranks.all_to_all(std::span<const std::int64_t>(out.sizes), rows_to);
  in.indices = ranks.all_to_all(std::span<const std::int32_t>(out.indices), nonzeros_to);
  in.values = ranks.all_to_all(std::span<const float>(out.values), nonzeros_to);
  return in;
}

/// The rows that came in, each at the row that `row_of` its place.
CsrMatrix in_order(const RowParcel& in, const std::vector<std::int64_t>& row_of, std::int64_t columns) {
  CsrMatrix rows;
  rows.rows = static_cast<std::int64_t>(in.places.size());
  rows.columns = columns;
  rows.row_start.assign(in.places.size() + 1, 0);
  const auto row = [&](std::size_t i) {
    return static_cast<std::size_t>(row_of[static_cast<std::size_t>(in.places[i])]);
  };
  for (std::size_t i = 0; i < in.places.size(); ++i) rows.row_start[row(i) + 1] = in.sizes[i];
  for (std::size_t i = 0; i < in.places.size(); ++i) rows.row_start[i + 1] += rows.row_start[i];
  rows.indices.resize(in.indices.size());
  rows.values.resize(in.values.size());
  std::ptrdiff_t from = 0;
  for (std::size_t i = 0; i < in.places.size(); ++i) {
    const std::ptrdiff_t to = rows.row_start[row(i)];
    std::copy_n(in.indices.begin() + from, in.sizes[i], rows.indices.begin() + to);
    std::copy_n(in.values.begin() + from, in.sizes[i], rows.values.begin() + to);
    from += in.sizes[i];
  }
  return rows;
}

void append(CsrMatrix& rows, const CsrMatrix& more) {
  const std::int64_t before = rows.nonzeros();
  rows.indices.insert(rows.indices.end(), more.indices.begin(), more.indices.end());
  rows.values.insert(rows.values.end(), more.values.begin(), more.values.end());
  for (std::size_t row = 1; row < more.row_start.size(); ++row) rows.row_start.push_back(before + more.row_start[row]);
  rows.rows += more.rows;
}

CsrMatrix read_ranges(const ReadCounts& read, const std::vector<RowRange>& ranges, std::int64_t columns) {
  CsrMatrix rows;
  rows.columns = columns;
  for (const RowRange& range : ranges) append(rows, read(range));
  return rows;
}

}  // namespace

Loader::Loader(const Expression& expression, std::int64_t global_batch, std::uint64_t seed, std::uint32_t stage,
               Collectives& ranks, int parts, const Shuffle& shuffle)
    : expression_(expression),
      ranks_(ranks),
      plan_(expression.cells, global_batch),
      order_(plan_, shuffle, seed, stage),
      parts_(parts > 0 ? parts : ranks.size()),
      parts_of_rank_(parts_ / ranks.size()),
      part_rows_(plan_.padded_rows(parts_)),
      densifier_(expression) {
  ensure(parts_ % ranks.size() == 0, "every rank has the same number of parts");
}

void Loader::start_epoch(std::uint32_t epoch) {
  if (read_.valid()) read_.wait();
  read_ = {};
  reading_ = -1;
  window_ = -1;
  order_.start(epoch);
  order_hash_ = order_.hash();
}

RowRange Loader::own_part(std::int64_t window) const {
  return rows_of_rank(order_.positions(window).size(), ranks_.rank(), ranks_.size());
}

void Loader::begin_reading(std::int64_t window) {
  reading_ = window;
  read_ = std::async(std::launch::async, read_ranges, expression_.read, order_.sequence(window, own_part(window)),
                     expression_.values.columns);
}

Loader::Offer Loader::read_rows(std::int64_t window) {
  if (reading_ != window) begin_reading(window);
  Offer offer;
  together(ranks_, [&] { offer.rows = read_.get(); });
  reading_ = -1;
  const RowRange part = own_part(window);
  const std::vector<std::int64_t> from = order_.permutation(window);
  offer.places.resize(static_cast<std::size_t>(part.size()));
  for (std::size_t place = 0; place < from.size(); ++place)
    if (from[place] >= part.begin && from[place] < part.end)
      offer.places[static_cast<std::size_t>(from[place] - part.begin)] = static_cast<std::int64_t>(place);
  return offer;
}

Loader::Offer Loader::held_rows(std::int64_t window) const {
  const RowRange mine = expression_.rows;
  const std::vector<std::int64_t> cells = order_.cells(window);
  Offer offer;
  offer.rows.columns = expression_.values.columns;
  for (std::size_t place = 0; place < cells.size(); ++place) {
    if (cells[place] < mine.begin || cells[place] >= mine.end) continue;
    const std::int64_t row = cells[place] - mine.begin;
    offer.rows.append_row(expression_.values.row_indices(row), expression_.values.row_values(row));
    offer.places.push_back(static_cast<std::int64_t>(place));
  }
  return offer;
}

void Loader::load(std::int64_t window) {
  rows_ = {};
  const std::int64_t first = order_.positions(window).begin;
  const RowRange steps = order_.steps(window);
  const std::vector<std::int64_t> cells = order_.cells(window);
  std::vector<std::int32_t> rank_of(cells.size());     // of each place of the window
  std::vector<std::int64_t> row_of(cells.size(), -1);  // among those of this rank
  cells_.clear();
  part_start_.assign(1, 0);
  for (std::int64_t step = steps.begin; step < steps.end; ++step)
    for (int part = 0; part < parts_; ++part) {
      const int rank = part / parts_of_rank_;
      const RowRange slice = plan_.slice(step, part, parts_);
      for (std::int64_t position = slice.begin; position < slice.end; ++position) {
        const auto place = static_cast<std::size_t>(position - first);
        rank_of[place] = rank;
        if (rank != ranks_.rank()) continue;
        row_of[place] = static_cast<std::int64_t>(cells_.size());
        cells_.push_back(cells[place]);
      }
      if (rank == ranks_.rank()) part_start_.push_back(static_cast<std::int64_t>(cells_.size()));
    }

  Offer offer = expression_.streams() ? read_rows(window) : held_rows(window);
  if (expression_.streams() && window + 1 < order_.windows()) begin_reading(window + 1);
  const RowParcel in = exchange(std::move(offer.rows), offer.places, rank_of, ranks_);
  ensure(in.places.size() == cells_.size(), "the rows of a window all arrive");
  rows_ = in_order(in, row_of, expression_.values.columns);
  window_ = window;
}

Batch Loader::batch(std::int64_t step) {
  ensure(step >= 0 && step < plan_.steps, "a batch of the epoch");
  const std::int64_t window = order_.window_of(step);
  if (window != window_) load(window);
  const auto first_part = static_cast<std::size_t>((step - order_.steps(window).begin) * parts_of_rank_);
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
      batch.cells[at] = cells_[static_cast<std::size_t>(first + i)];
      batch.weights[at] = 1.0F;
      densifier_.fill(rows_.row_indices(first + i), rows_.row_values(first + i),
                      std::span(batch.values).subspan(at * width, width), expression_.batch(batch.cells[at]));
    }
    batch.part_real.push_back(real);
    batch.real += real;
  }
  return batch;
}

}  // namespace masksc
