// Stored chunks without HDF5's filter pipeline, which in 1.10 reads beyond a chunk that unpacks to less than it must.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "array_file_handles.hpp"
#include "lzf.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// The most memory that one band of unpacked chunks may keep.
constexpr std::int64_t greatest_band = std::int64_t{1} << 30;

[[noreturn]] void missing_filter(const ArrayFile::Impl& file, const std::string& name, int id, const char* title) {
  throw UserError(fmt::format(
      "'{}' in '{}' is compressed by a filter that HDF5 does not have here ({}{}): write the file again with "
      "compression='gzip' or none, or set HDF5_PLUGIN_PATH to a folder with that filter",
      shown(name), file.path.string(), *title == '\0' ? "" : fmt::format("'{}', ", shown(title)), id));
}

/// The filters that can be undone here, in the order of writing. Throws UserError when they don't fit the array.
std::optional<std::vector<ChunkFilter>> known_filters(const ArrayFile::Impl& file, const std::string& name, hid_t list,
                                                      std::int64_t element_bytes) {
  std::vector<ChunkFilter> filters;
  const int count = H5Pget_nfilters(list);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t values = 1;
    unsigned value = 0;
    std::array<char, 64> title{};
    const H5Z_filter_t id =
        H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &values, &value, title.size(), title.data(), &config);
    switch (id) {
      case H5Z_FILTER_DEFLATE:
        filters.push_back(ChunkFilter::deflate);
        break;
      case lzf_filter:
        filters.push_back(ChunkFilter::lzf);
        break;
      case H5Z_FILTER_SHUFFLE:
        if (values != 1 || value != element_bytes)
          file.damaged(name, fmt::format("is shuffled as elements of {} bytes, which have {}", value, element_bytes));
        filters.push_back(ChunkFilter::shuffle);
        break;
      case H5Z_FILTER_FLETCHER32:
        filters.push_back(ChunkFilter::fletcher32);
        break;
      default:
        if (H5Zfilter_avail(id) <= 0) missing_filter(file, name, id, title.data());
        return std::nullopt;
    }
  }
  if (count < 0 || std::count_if(filters.begin(), filters.end(), packs) > 1) return std::nullopt;
  return filters;
}

/// The part of an array that a chunk and some rows share, by dimension, in elements.
struct Part {
  std::vector<std::size_t> count;
  std::vector<std::size_t> from;  // in the chunk
  std::vector<std::size_t> to;    // in the rows
  std::vector<std::size_t> from_stride;
  std::vector<std::size_t> to_stride;
};

void copy_part(const Part& part, std::size_t dimension, std::size_t element, const std::uint8_t* from,
               std::uint8_t* to) {
  from += part.from[dimension] * part.from_stride[dimension] * element;
  to += part.to[dimension] * part.to_stride[dimension] * element;
  if (dimension + 1 == part.count.size()) {
    std::memcpy(to, from, part.count[dimension] * element);
    return;
  }
  for (std::size_t i = 0; i < part.count[dimension]; ++i)
    copy_part(part, dimension + 1, element, from + i * part.from_stride[dimension] * element,
              to + i * part.to_stride[dimension] * element);
}

/// Elements between neighbours along each dimension.
std::vector<std::size_t> strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::size_t> all(shape.size(), 1);
  for (std::size_t d = shape.size() - 1; d-- > 0;) all[d] = all[d + 1] * static_cast<std::size_t>(shape[d + 1]);
  return all;
}

}  // namespace

bool spans_whole_rows(const ArrayInfo& info) {
  return std::equal(info.chunk.begin() + 1, info.chunk.end(), info.shape.begin() + 1);
}

std::optional<ChunkReader> ChunkReader::open(const ArrayFile::Impl& file, const std::string& name,
                                             const ArrayInfo& info) {
  if (info.chunk.empty()) return std::nullopt;
  ChunkReader reader(file, name, info);
  const std::string what = fmt::format("read '{}'", name);
  reader.dataset_ = file.open_dataset(name);
  reader.stored_type_ = file.own(H5Dget_type(reader.dataset_.id()), H5Tclose, what);
  const Handle list = file.own(H5Dget_create_plist(reader.dataset_.id()), H5Pclose, what);
  auto filters = known_filters(file, name, list.id(), info.element_bytes);
  if (!filters) return std::nullopt;
  reader.filters_ = std::move(*filters);
  std::int64_t bytes = info.element_bytes;
  for (const std::int64_t extent : info.chunk)
    if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes) || bytes > UINT32_MAX)
      file.damaged(name, "has chunks of impossible size");
  const bool packed = std::any_of(reader.filters_.begin(), reader.filters_.end(), packs);
  constexpr std::int64_t always_allowed = std::int64_t{64} << 20;
  if (bytes > always_allowed && bytes / (packed ? greatest_packing_ratio : 1) > info.stored_bytes)
    file.damaged(name, fmt::format("claims chunks of {} bytes, but only {} are stored", bytes, info.stored_bytes));
  reader.chunk_elements_ = static_cast<std::size_t>(bytes / info.element_bytes);
  return reader;
}

std::size_t ChunkReader::element_bytes(std::optional<NumericType> memory) const {
  return memory ? H5Tget_size(memory_type(*memory)) : static_cast<std::size_t>(info_.element_bytes);
}

std::size_t ChunkReader::stored_bytes(const std::vector<hsize_t>& offset) const {
  hsize_t stored = 0;
  unsigned skipped = 0;
  haddr_t address = HADDR_UNDEF;
  file_->check(H5Dget_chunk_info_by_coord(dataset_.id(), offset.data(), &skipped, &address, &stored),
               fmt::format("read '{}'", name_));
  if (address == HADDR_UNDEF) return 0;
  std::error_code ignored;
  if (stored > std::filesystem::file_size(file_->path, ignored))
    file_->damaged(name_, fmt::format("has a chunk of {} bytes, more than the file", stored));
  return stored;
}

std::vector<std::uint8_t> ChunkReader::unpack(const std::vector<hsize_t>& offset) const {
  const std::string what = fmt::format("read '{}'", name_);
  std::vector<std::uint8_t> bytes(stored_bytes(offset));
  if (bytes.empty()) return {};
  std::uint32_t filters_off = 0;
  file_->check(H5Dread_chunk(dataset_.id(), H5P_DEFAULT, offset.data(), &filters_off, bytes.data()), what);
  const auto element = static_cast<std::size_t>(info_.element_bytes);
  UnpackedChunk chunk = undo_filters(std::move(bytes), filters_, filters_off, element, chunk_elements_ * element);
  if (chunk.problem != nullptr) file_->damaged(name_, chunk.problem);
  return std::move(chunk.bytes);
}

bool ChunkReader::is_stored_as(std::optional<NumericType> memory) const {
  return !memory || H5Tequal(stored_type_.id(), memory_type(*memory)) > 0;
}

void ChunkReader::convert(std::vector<std::uint8_t>& chunk, std::optional<NumericType> memory) const {
  if (is_stored_as(memory)) return;
  const std::size_t count = chunk.size() / static_cast<std::size_t>(info_.element_bytes);
  const std::size_t size = element_bytes(memory) * count;
  chunk.resize(std::max(chunk.size(), size));
  file_->check(H5Tconvert(stored_type_.id(), memory_type(*memory), count, chunk.data(), nullptr, H5P_DEFAULT),
               fmt::format("read '{}'", name_));
  chunk.resize(size);
}

/// A chunk that was never written.
std::vector<std::uint8_t> ChunkReader::fill(std::optional<NumericType> memory) const {
  const std::size_t element = element_bytes(memory);
  std::vector<std::uint8_t> chunk(chunk_elements_ * element);
  if (!memory) return chunk;
  const Handle list(H5Dget_create_plist(dataset_.id()), H5Pclose);
  std::vector<std::uint8_t> value(element);
  if (H5Pget_fill_value(list.id(), memory_type(*memory), value.data()) < 0) return chunk;
  for (std::size_t at = 0; at < chunk.size(); at += element) std::memcpy(chunk.data() + at, value.data(), element);
  return chunk;
}

/// Straight to where it belongs, for a chunk of whole rows that is stored as it must be in memory.
bool ChunkReader::read_straight(RowRange rows, std::optional<NumericType> memory, std::uint8_t* out) const {
  if (!filters_.empty() || rows.size() != info_.chunk[0]) return false;
  if (!spans_whole_rows(info_) || !is_stored_as(memory)) return false;
  std::vector<hsize_t> offset(info_.shape.size(), 0);
  offset[0] = static_cast<hsize_t>(rows.begin);
  if (stored_bytes(offset) != chunk_elements_ * static_cast<std::size_t>(info_.element_bytes)) return false;
  std::uint32_t filters_off = 0;
  file_->check(H5Dread_chunk(dataset_.id(), H5P_DEFAULT, offset.data(), &filters_off, out),
               fmt::format("read '{}'", name_));
  return true;
}

/// `rows`, all in one band of chunks.
void ChunkReader::read_band(RowRange rows, std::optional<NumericType> memory, std::uint8_t* out) const {
  if (read_straight(rows, memory, out)) return;
  const std::size_t dimensions = info_.shape.size();
  const std::size_t element = element_bytes(memory);
  Part part;
  part.from_stride = strides(info_.chunk);
  part.to_stride = strides(info_.shape);
  part.count.resize(dimensions);
  part.from.resize(dimensions);
  part.to.resize(dimensions);
  std::vector<hsize_t> offset(dimensions, 0);
  offset[0] = static_cast<hsize_t>(rows.begin / info_.chunk[0] * info_.chunk[0]);
  part.count[0] = static_cast<std::size_t>(rows.size());
  part.from[0] = static_cast<std::size_t>(rows.begin) - offset[0];
  for (bool more = true; more;) {
    for (std::size_t d = 1; d < dimensions; ++d) {
      part.to[d] = offset[d];
      part.count[d] =
          static_cast<std::size_t>(std::min(info_.chunk[d], info_.shape[d] - static_cast<std::int64_t>(offset[d])));
    }
    std::vector<std::uint8_t> chunk = unpack(offset);
    if (chunk.empty())
      chunk = fill(memory);
    else
      convert(chunk, memory);
    copy_part(part, 0, element, chunk.data(), out);
    more = false;
    for (std::size_t d = dimensions; d-- > 1 && !more;) {
      offset[d] += static_cast<hsize_t>(info_.chunk[d]);
      more = static_cast<std::int64_t>(offset[d]) < info_.shape[d];
      if (!more) offset[d] = 0;
    }
  }
}

void ChunkReader::read(RowRange rows, std::optional<NumericType> memory, void* out) {
  const std::size_t row_bytes = strides(info_.shape)[0] * element_bytes(memory);
  if (row_bytes == 0) return;
  const std::int64_t height = info_.chunk[0];
  auto* to = static_cast<std::uint8_t*>(out);
  for (std::int64_t row = rows.begin; row < rows.end;) {
    const std::int64_t band = row / height;
    const RowRange all{band * height, std::min(info_.rows(), (band + 1) * height)};
    const RowRange wanted{row, std::min(rows.end, all.end)};
    const auto bytes = static_cast<std::size_t>(wanted.size()) * row_bytes;
    const bool whole = wanted.begin == all.begin && wanted.end == all.end;
    if (band != kept_band_ && (whole || all.size() > greatest_band / static_cast<std::int64_t>(row_bytes))) {
      read_band(wanted, memory, to);
    } else {
      if (band != kept_band_) {
        kept_band_ = -1;
        kept_.resize(static_cast<std::size_t>(all.size()) * row_bytes);
        read_band(all, memory, kept_.data());
        kept_band_ = band;
      }
      std::memcpy(to, kept_.data() + static_cast<std::size_t>(wanted.begin - all.begin) * row_bytes, bytes);
    }
    to += bytes;
    row = wanted.end;
  }
}

void ArrayFile::check_storage(const std::string& name) const {
  const auto lock = lock_hdf5();
  const ArrayInfo found = info(name);
  plausible_size(*impl_, found, name, found.size());
  if (!found.chunk.empty()) static_cast<void>(chunk_places(name));
}

std::vector<std::int64_t> ArrayFile::chunk_places(const std::string& name) const {
  const auto lock = lock_hdf5();
  const ArrayInfo found = info(name);
  plausible_size(*impl_, found, name, found.size());
  if (found.chunk.size() != 1 || found.compressed) impl_->damaged(name, "is not stored in plain chunks");
  const Handle dataset = impl_->open_dataset(name);
  const auto wanted = static_cast<hsize_t>(found.element_bytes) * static_cast<hsize_t>(found.chunk.front());
  const auto file_bytes = std::filesystem::file_size(impl_->path);
  std::vector<std::int64_t> places;
  for (hsize_t offset = 0; static_cast<std::int64_t>(offset) < found.rows();
       offset += static_cast<hsize_t>(found.chunk.front())) {
    still_working();
    hsize_t stored = 0;
    unsigned skipped = 0;
    haddr_t address = HADDR_UNDEF;
    impl_->check(H5Dget_chunk_info_by_coord(dataset.id(), &offset, &skipped, &address, &stored),
                 fmt::format("read '{}'", name));
    if (stored != wanted || address > file_bytes || stored > file_bytes - address)
      impl_->damaged(name, fmt::format("has a chunk of {} bytes at {}, in a file of {}", stored, address, file_bytes));
    places.push_back(static_cast<std::int64_t>(address));
  }
  return places;
}

}  // namespace masksc
