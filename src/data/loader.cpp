#include "masksc/data/loader.hpp"

#include <numeric>
#include <utility>

#include "masksc/core/memory.hpp"

namespace masksc {
namespace {

/// Rows of this rank that a window needs, and the place of each in the window's order.
struct Offer {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> places;
};

/// `row_of_place` are rows of all ranks, those `mine` lie here from row 0 on.
Offer offered(const std::vector<std::int64_t>& row_of_place, RowRange mine) {
  Offer offer;
  for (std::size_t place = 0; place < row_of_place.size(); ++place) {
    if (row_of_place[place] < mine.begin || row_of_place[place] >= mine.end) continue;
    offer.rows.push_back(row_of_place[place] - mine.begin);
    offer.places.push_back(static_cast<std::int64_t>(place));
  }
  return offer;
}

/// Sparse rows on their way to other ranks.
struct RowParcel {
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
  std::vector<std::int64_t> rows_to;      // of each rank
  std::vector<std::int64_t> nonzeros_to;  // of each rank
};

/// The offered rows of `from` by the rank that `rank_of` their place.
RowParcel pack(const CsrMatrix& from, const Offer& offer, const std::vector<std::int32_t>& rank_of, int ranks) {
  RowParcel out;
  std::size_t nonzeros = 0;
  for (const std::int64_t row : offer.rows) nonzeros += from.row_size(row);
  out.places.reserve(offer.places.size());
  out.sizes.reserve(offer.places.size());
  reserve_large(out.indices, nonzeros);
  reserve_large(out.values, nonzeros);
  for (int rank = 0; rank < ranks; ++rank) {
    const auto rows_before = static_cast<std::int64_t>(out.places.size());
    const auto before = static_cast<std::int64_t>(out.indices.size());
    for (std::size_t i = 0; i < offer.places.size(); ++i) {
      if (rank_of[static_cast<std::size_t>(offer.places[i])] != rank) continue;
      const auto indices = from.row_indices(offer.rows[i]);
      const auto values = from.row_values(offer.rows[i]);
      out.places.push_back(offer.places[i]);
      out.sizes.push_back(static_cast<std::int64_t>(indices.size()));
      out.indices.insert(out.indices.end(), indices.begin(), indices.end());
      out.values.insert(out.values.end(), values.begin(), values.end());
    }
    out.rows_to.push_back(static_cast<std::int64_t>(out.places.size()) - rows_before);
    out.nonzeros_to.push_back(static_cast<std::int64_t>(out.indices.size()) - before);
  }
  return out;
}

/// Rows as they came in from all ranks, and the place of each.
struct Arrived {
  CsrMatrix rows;
  std::vector<std::int64_t> places;
};

Arrived exchange(RowParcel out, std::int64_t columns, Collectives& ranks) {
  Arrived in;
  in.places = ranks.all_to_all(std::span<const std::int64_t>(out.places), out.rows_to);
  const auto sizes = ranks.all_to_all(std::span<const std::int64_t>(out.sizes), out.rows_to);
  in.rows.rows = static_cast<std::int64_t>(in.places.size());
  in.rows.columns = columns;
  for (const std::int64_t size : sizes) in.rows.row_start.push_back(in.rows.row_start.back() + size);
  in.rows.indices = ranks.all_to_all(std::span<const std::int32_t>(out.indices), out.nonzeros_to);
  in.rows.values = ranks.all_to_all(std::span<const float>(out.values), out.nonzeros_to);
  return in;
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

Loader::Loader(const Expression& expression, std::int64_t global_batch, std::uint64_t seed, ShuffleStream stream,
               Collectives& ranks, const LoaderSettings& settings)
    : expression_(expression),
      ranks_(ranks),
      plan_(expression.cells, global_batch),
      order_(plan_, settings.shuffle, seed, stream),
      parts_(settings.parts > 0 ? settings.parts : ranks.size()),
      parts_of_rank_(parts_ / ranks.size()),
      part_rows_(plan_.padded_rows(parts_)),
      densifier_(expression),
      with_values_(settings.values),
      ahead_(settings.ahead) {
  ensure(parts_ % ranks.size() == 0, "every rank has the same number of parts");
}

void Loader::start_epoch(std::uint32_t epoch) {
  if (made_.valid()) made_.wait();
  if (read_.valid()) read_.wait();
  making_ = -1;
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

void Loader::read_rows(std::int64_t window) {
  if (reading_ != window) begin_reading(window);
  together(ranks_, [&] { rows_ = read_.get(); });
  reading_ = -1;
}

const CsrMatrix& Loader::own_rows() const { return expression_.streams() ? rows_ : expression_.values; }

void Loader::load(std::int64_t window) {
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
  if (with_values_) move_rows(window, cells, rank_of, row_of);
  window_ = window;
}

void Loader::move_rows(std::int64_t window, const std::vector<std::int64_t>& cells,
                       const std::vector<std::int32_t>& rank_of, const std::vector<std::int64_t>& row_of) {
  rows_ = {};
  if (expression_.streams()) {
    read_rows(window);
    if (window + 1 < order_.windows()) begin_reading(window + 1);
  }
  Offer offer =
      expression_.streams() ? offered(order_.permutation(window), own_part(window)) : offered(cells, expression_.rows);
  if (ranks_.size() > 1) {
    RowParcel out = pack(own_rows(), offer, rank_of, ranks_.size());
    rows_ = {};
    Arrived in = exchange(std::move(out), expression_.values.columns, ranks_);
    rows_ = std::move(in.rows);
    offer.places = std::move(in.places);
    offer.rows.resize(offer.places.size());
    std::iota(offer.rows.begin(), offer.rows.end(), std::int64_t{0});
  }
  ensure(offer.places.size() == cells_.size(), "the rows of a window all arrive");
  row_at_.resize(cells_.size());
  for (std::size_t i = 0; i < offer.places.size(); ++i)
    row_at_[static_cast<std::size_t>(row_of[static_cast<std::size_t>(offer.places[i])])] = offer.rows[i];
}

Batch Loader::batch(std::int64_t step) {
  ensure(step >= 0 && step < plan_.steps, "a batch of the epoch");
  Batch batch;
  if (making_ == step) {
    batch = made_.get();
  } else {
    if (made_.valid()) made_.wait();
    if (order_.window_of(step) != window_) load(order_.window_of(step));
    batch = make(step);
  }
  making_ = ahead_ && step + 1 < order_.steps(window_).end ? step + 1 : -1;
  if (making_ >= 0) made_ = std::async(std::launch::async, &Loader::make, this, making_);
  return batch;
}

Batch Loader::make(std::int64_t step) const {
  const auto first_part = static_cast<std::size_t>((step - order_.steps(window_).begin) * parts_of_rank_);
  Batch batch;
  batch.rows = rows();
  batch.part_rows = part_rows_;
  batch.global_cells = plan_.batch(step).size();
  batch.cells.assign(static_cast<std::size_t>(batch.rows), -1);
  batch.weights.assign(static_cast<std::size_t>(batch.rows), 0.0F);
  const auto width = static_cast<std::size_t>(with_values_ ? densifier_.width() : 0);
  const CsrMatrix& from = ranks_.size() > 1 ? rows_ : own_rows();
  batch.values.reserve(static_cast<std::size_t>(batch.rows) * width);
  for (int part = 0; part < parts_of_rank_; ++part) {
    const std::int64_t first = part_start_[first_part + static_cast<std::size_t>(part)];
    const std::int64_t real = part_start_[first_part + static_cast<std::size_t>(part) + 1] - first;
    for (std::int64_t i = 0; i < real; ++i) {
      const auto at = static_cast<std::size_t>(part * part_rows_ + i);
      batch.cells[at] = cells_[static_cast<std::size_t>(first + i)];
      batch.weights[at] = 1.0F;
      if (!with_values_) continue;
      const std::int64_t row = row_at_[static_cast<std::size_t>(first + i)];
      densifier_.append(from.row_indices(row), from.row_values(row), batch.values, expression_.batch(batch.cells[at]));
    }
    batch.values.resize(static_cast<std::size_t>((part + 1) * part_rows_) * width);
    batch.part_real.push_back(real);
    batch.real += real;
  }
  return batch;
}

}  // namespace masksc
