#include "masksc/io/prepared_rows.hpp"

#include <algorithm>

#include "masksc/core/error.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/prepared.hpp"
#include "packed_entries.hpp"
#include "prepared_checks.hpp"
#include "raw_file.hpp"

namespace masksc {
namespace {

/// Where the elements of an array of one dimension lie.
struct Places {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t chunk_rows = 1;
  std::vector<std::int64_t> chunks;  // byte at which each begins
};

Places places_of(const ArrayFile& file, const std::string& name) {
  const ArrayInfo info = file.info(name);
  std::vector<std::int64_t> chunks = file.chunk_places(name);
  return {name, info.rows(), info.chunk.front(), std::move(chunks)};
}

template <typename T>
std::vector<T> read_elements(const RawFile& file, const Places& places, RowRange rows) {
  auto values = large_vector<T>(static_cast<std::size_t>(rows.size()));
  std::span<std::byte> left = std::as_writable_bytes(std::span(values));
  for (std::int64_t row = rows.begin; row < rows.end;) {
    const std::int64_t chunk = row / places.chunk_rows;
    const std::int64_t inside = row - chunk * places.chunk_rows;
    const std::int64_t count = std::min(rows.end - row, places.chunk_rows - inside);
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t place =
        places.chunks[static_cast<std::size_t>(chunk)] + inside * static_cast<std::int64_t>(sizeof(T));
    if (file.read(place, left.first(static_cast<std::size_t>(bytes))) != bytes)
      prepared::damaged(file.path(), "became shorter while it was read");
    left = left.subspan(static_cast<std::size_t>(bytes));
    row += count;
  }
  return values;
}

/// Number of genes of a prepared file. Throws UserError unless its arrays are of the types and lengths they must be.
std::int64_t checked_genes(const std::filesystem::path& path) {
  const auto self = single_rank();
  return PreparedFile(path, *self).genes();
}

}  // namespace

struct PreparedRows::Impl {
  explicit Impl(const std::filesystem::path& path) : genes(checked_genes(path)), file(path, O_RDONLY) {
    const ArrayFile arrays = ArrayFile::open(path);
    starts = places_of(arrays, "row_start");
    indices = places_of(arrays, "indices");
    values = places_of(arrays, "values");
    large_starts = places_of(arrays, "large_start");
    large = places_of(arrays, "large");
  }

  [[nodiscard]] std::vector<std::int64_t> read_starts(const Places& places, RowRange rows, std::int64_t limit) const {
    auto all = read_elements<std::int64_t>(file, places, {rows.begin, rows.end + 1});
    prepared::check_starts(file.path(), places.name, all, limit);
    return all;
  }

  std::int64_t genes;
  RawFile file;
  Places starts;
  Places indices;
  Places values;
  Places large_starts;
  Places large;
};

PreparedRows::PreparedRows(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
PreparedRows::PreparedRows(PreparedRows&&) noexcept = default;
PreparedRows& PreparedRows::operator=(PreparedRows&&) noexcept = default;
PreparedRows::~PreparedRows() = default;

std::int64_t PreparedRows::cells() const { return impl_->starts.rows - 1; }
std::int64_t PreparedRows::genes() const { return impl_->genes; }
std::int64_t PreparedRows::nonzeros() const { return impl_->values.rows; }

CsrMatrix PreparedRows::read(RowRange rows) const {
  ensure(rows.begin >= 0 && rows.begin <= rows.end && rows.end <= cells(), "rows that the prepared file has");
  const RawFile& file = impl_->file;
  CsrMatrix matrix;
  matrix.rows = rows.size();
  matrix.columns = impl_->genes;
  matrix.row_start = impl_->read_starts(impl_->starts, rows, nonzeros());
  const RowRange entries{matrix.row_start.front(), matrix.row_start.back()};
  for (std::int64_t& start : matrix.row_start) start -= entries.begin;
  matrix.indices = large_vector<std::int32_t>(static_cast<std::size_t>(entries.size()));
  prepared::with_index_type(genes(), [&]<typename Index>(Index) {
    std::ranges::copy(read_elements<Index>(file, impl_->indices, entries), matrix.indices.begin());
  });
  const auto large_starts = impl_->read_starts(impl_->large_starts, rows, impl_->large.rows);
  const auto large = read_elements<float>(file, impl_->large, {large_starts.front(), large_starts.back()});
  const auto bytes = read_elements<std::uint8_t>(file, impl_->values, entries);
  matrix.values = large_vector<float>(bytes.size());
  prepared::unpack_checked(file.path(), bytes, large, true, matrix.values);
  prepared::check_entries(file.path(), matrix, rows.begin);
  return matrix;
}

}  // namespace masksc
