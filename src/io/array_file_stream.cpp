// Reading an array row by row so that each stored chunk is inflated once.
//
// A published file may hold 450 MB in one gzip chunk. Where a chunk spans whole rows and gzip is the only filter, the
// compressed chunk is fetched as it is and inflated piece by piece: memory stays at the caller's block. Other chunks
// are unpacked by ChunkReader, a band at a time. What is stored in one piece, or needs a plugin of HDF5, is left to
// HDF5, whose chunk cache is made large enough for one band of chunks.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "array_file_handles.hpp"

namespace masksc {
namespace {

/// Chunks from this size on are inflated piece by piece.
constexpr std::int64_t large_chunk_bytes = std::int64_t{4} << 20;
/// The most memory HDF5's chunk cache may take for one band.
constexpr std::int64_t greatest_cache = std::int64_t{1} << 30;

class CachedStream final : public RowStream {
 public:
  CachedStream(const ArrayFile::Impl& file, std::string name, ArrayInfo info)
      : file_(file), name_(std::move(name)), info_(std::move(info)) {
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    if (!info_.chunk.empty()) {
      std::int64_t chunks = 1;
      std::int64_t bytes = static_cast<std::int64_t>(H5Tget_size(memory_type(info_.type)));
      for (std::size_t d = 0; d < info_.chunk.size(); ++d) {
        if (d > 0) chunks *= (info_.shape[d] + info_.chunk[d] - 1) / info_.chunk[d];
        bytes *= info_.chunk[d];
      }
      const std::int64_t room = std::clamp<std::int64_t>(chunks * bytes, std::int64_t{1} << 20, greatest_cache);
      H5Pset_chunk_cache(access.id(),
                         static_cast<std::size_t>(std::clamp<std::int64_t>(10 * chunks, 521, 1 << 20)) | 1U,
                         static_cast<std::size_t>(std::max(room, std::min(bytes, greatest_cache))), 1.0);
    }
    dataset_ = file_.open_dataset(name_, access.id());
  }
  ~CachedStream() override {
    const auto lock = lock_hdf5();
    dataset_.close();
  }
  [[nodiscard]] const ArrayInfo& info() const override { return info_; }
  void read(RowRange rows, void* out) override {
    const auto lock = lock_hdf5();
    if (rows.size() <= 0) return;
    const std::string what = fmt::format("read '{}'", name_);
    std::vector<hsize_t> start(info_.shape.size(), 0);
    std::vector<hsize_t> count(info_.shape.begin(), info_.shape.end());
    start[0] = static_cast<hsize_t>(rows.begin);
    count[0] = static_cast<hsize_t>(rows.size());
    const Handle space = file_.own(H5Dget_space(dataset_.id()), H5Sclose, what);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    file_.check(H5Dread(dataset_.id(), memory_type(info_.type), memory.id(), space.id(), H5P_DEFAULT, out), what);
  }

 private:
  const ArrayFile::Impl& file_;
  std::string name_;
  ArrayInfo info_;
  Handle dataset_;
};

class ChunkStream final : public RowStream {
 public:
  ChunkStream(ChunkReader chunks, ArrayInfo info) : chunks_(std::move(chunks)), info_(std::move(info)) {}
  ~ChunkStream() override {
    const auto lock = lock_hdf5();
    chunks_.reset();
  }
  [[nodiscard]] const ArrayInfo& info() const override { return info_; }
  void read(RowRange rows, void* out) override {
    const auto lock = lock_hdf5();
    chunks_->read(rows, info_.type, out);
  }

 private:
  std::optional<ChunkReader> chunks_;
  ArrayInfo info_;
};

class InflatingStream final : public RowStream {
 public:
  InflatingStream(const ArrayFile::Impl& file, std::string name, ArrayInfo info)
      : file_(file), name_(std::move(name)), info_(std::move(info)), dataset_(file_.open_dataset(name_)) {
    row_bytes_ = static_cast<std::int64_t>(H5Tget_size(memory_type(info_.type)));
    for (std::size_t d = 1; d < info_.shape.size(); ++d) row_bytes_ *= info_.shape[d];
  }
  ~InflatingStream() override {
    const auto lock = lock_hdf5();
    leave_chunk();
    dataset_.close();
  }
  [[nodiscard]] const ArrayInfo& info() const override { return info_; }
  void read(RowRange rows, void* out) override {
    const auto lock = lock_hdf5();
    auto* to = static_cast<std::byte*>(out);
    const std::int64_t height = info_.chunk[0];
    for (std::int64_t row = rows.begin; row < rows.end;) {
      const std::int64_t chunk = row / height;
      if (chunk != chunk_ || row < next_row_) enter_chunk(chunk);
      skip((row - next_row_) * row_bytes_);
      const std::int64_t last = std::min(rows.end, (chunk + 1) * height);
      inflate_bytes(to, (last - row) * row_bytes_);
      to += (last - row) * row_bytes_;
      row = next_row_ = last;
    }
  }

 private:
  void enter_chunk(std::int64_t chunk) {
    leave_chunk();
    const std::string what = fmt::format("read '{}'", name_);
    std::vector<hsize_t> offset(info_.shape.size(), 0);
    offset[0] = static_cast<hsize_t>(chunk * info_.chunk[0]);
    hsize_t bytes = 0;
    file_.check(H5Dget_chunk_storage_size(dataset_.id(), offset.data(), &bytes), what);
    std::error_code ignored;
    if (bytes == 0 || bytes > std::filesystem::file_size(file_.path, ignored))
      file_.damaged(name_, fmt::format("has a chunk of {} bytes", bytes));
    packed_.resize(bytes);
    std::uint32_t filters_off = 0;
    file_.check(H5Dread_chunk(dataset_.id(), H5P_DEFAULT, offset.data(), &filters_off, packed_.data()), what);
    if (filters_off != 0) file_.damaged(name_, "has a chunk that skips its filter");
    stream_ = z_stream{};
    stream_.next_in = packed_.data();
    left_in_ = packed_.size();
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
    chunk_ = chunk;
    next_row_ = chunk * info_.chunk[0];
  }
  void leave_chunk() {
    if (chunk_ >= 0) inflateEnd(&stream_);
    chunk_ = -1;
  }
  void skip(std::int64_t bytes) {
    std::vector<std::byte> scratch(static_cast<std::size_t>(std::min<std::int64_t>(bytes, 1 << 20)));
    while (bytes > 0) {
      const auto step = std::min(bytes, static_cast<std::int64_t>(scratch.size()));
      inflate_bytes(scratch.data(), step);
      bytes -= step;
    }
  }
  void inflate_bytes(std::byte* to, std::int64_t bytes) {
    constexpr std::int64_t step = 1 << 30;  // zlib counts in 32 bits
    while (bytes > 0) {
      const auto wanted = static_cast<uInt>(std::min(bytes, step));
      stream_.next_out = reinterpret_cast<Bytef*>(to);
      stream_.avail_out = wanted;
      while (stream_.avail_out > 0) {
        if (stream_.avail_in == 0) {
          stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(left_in_, std::size_t{1} << 30));
          left_in_ -= stream_.avail_in;
        }
        const int result = inflate(&stream_, Z_NO_FLUSH);
        if (result == Z_OK) continue;
        if (result == Z_STREAM_END && stream_.avail_out == 0) break;
        const char* why = stream_.msg != nullptr ? stream_.msg : "it ends too early";
        leave_chunk();
        file_.damaged(name_, fmt::format("has a gzip chunk that can't be inflated ({})", why));
      }
      to += wanted;
      bytes -= wanted;
    }
  }

  const ArrayFile::Impl& file_;
  std::string name_;
  ArrayInfo info_;
  Handle dataset_;
  std::int64_t row_bytes_ = 0;
  std::vector<Bytef> packed_;
  std::size_t left_in_ = 0;  // bytes of packed_ that zlib has not been shown
  z_stream stream_{};
  std::int64_t chunk_ = -1;
  std::int64_t next_row_ = 0;
};

/// Whether every chunk spans whole rows, is stored, is large, and gzip in the machine's own number format is all that
/// was done to it.
bool can_inflate(const ArrayFile::Impl& file, const std::string& name, const ArrayInfo& info) {
  if (info.chunk.empty() || !info.is_numeric() || info.kind == ArrayInfo::Kind::boolean) return false;
  if (!spans_whole_rows(info)) return false;
  const Handle dataset = file.open_dataset(name);
  const Handle list(H5Dget_create_plist(dataset.id()), H5Pclose);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  if (H5Tequal(type.id(), memory_type(info.type)) <= 0) return false;
  std::int64_t bytes = static_cast<std::int64_t>(H5Tget_size(type.id()));
  for (const std::int64_t extent : info.chunk) bytes *= extent;
  if (bytes < large_chunk_bytes || H5Pget_nfilters(list.id()) != 1) return false;
  unsigned flags = 0;
  std::size_t values = 0;
  unsigned config = 0;
  if (H5Pget_filter2(list.id(), 0, &flags, &values, nullptr, 0, nullptr, &config) != H5Z_FILTER_DEFLATE) return false;
  for (std::int64_t row = 0; row < info.rows(); row += info.chunk[0]) {
    std::vector<hsize_t> offset(info.shape.size(), 0);
    offset[0] = static_cast<hsize_t>(row);
    hsize_t stored = 0;
    if (H5Dget_chunk_storage_size(dataset.id(), offset.data(), &stored) < 0 || stored == 0) return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<RowStream> ArrayFile::stream_rows(const std::string& name) const {
  const auto lock = lock_hdf5();
  const Handle dataset = impl_->open_dataset(name);
  ArrayInfo info = describe_dataset(*impl_, dataset.id(), name);
  if (!info.is_numeric() || info.shape.empty())
    throw UserError(fmt::format("'{}' in '{}' is no array of numbers", name, impl_->path.string()));
  plausible_size(*impl_, info, name, info.size());
  if (can_inflate(*impl_, name, info)) return std::make_unique<InflatingStream>(*impl_, name, std::move(info));
  if (auto chunks = ChunkReader::open(*impl_, name, info))
    return std::make_unique<ChunkStream>(std::move(*chunks), std::move(info));
  return std::make_unique<CachedStream>(*impl_, name, std::move(info));
}

}  // namespace masksc
