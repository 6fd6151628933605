#include "masksc/io/prepared_rows.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/error.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/prepared.hpp"
#include "packed_entries.hpp"
#include "prepared_checks.hpp"

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

/// A file open for reading.
class OpenFile {
 public:
  explicit OpenFile(std::filesystem::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!descriptor_)
      throw UserError(fmt::format("cannot read '{}': {}; check the name and the permissions", path_.string(),
                                  std::strerror(errno)));
  }

  void read(std::int64_t offset, std::size_t bytes, char* out) const {
    while (bytes > 0) {
      const ssize_t got = ::pread(descriptor_.number(), out, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw EnvironmentError(fmt::format("cannot read '{}': {}", path_.string(), std::strerror(errno)));
      if (got == 0) prepared::damaged(path_, "became shorter while it was read");
      out += got;
      offset += got;
      bytes -= static_cast<std::size_t>(got);
    }
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

template <typename T>
std::vector<T> read_elements(const OpenFile& file, const Places& places, RowRange rows) {
  auto values = large_vector<T>(static_cast<std::size_t>(rows.size()));
  auto* out = reinterpret_cast<char*>(values.data());
  for (std::int64_t row = rows.begin; row < rows.end;) {
    const std::int64_t chunk = row / places.chunk_rows;
    const std::int64_t inside = row - chunk * places.chunk_rows;
    const std::int64_t count = std::min(rows.end - row, places.chunk_rows - inside);
    const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
    file.read(places.chunks[static_cast<std::size_t>(chunk)] + inside * static_cast<std::int64_t>(sizeof(T)), bytes,
              out);
    out += bytes;
    row += count;
  }
  return values;
}

}  // namespace

struct PreparedRows::Impl {
  explicit Impl(const std::filesystem::path& path) : file(path) {
    const auto self = single_rank();
    genes = PreparedFile(path, *self).genes();  // checks types and lengths
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

  OpenFile file;
  std::int64_t genes = 0;
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
  const OpenFile& file = impl_->file;
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
