// Reading arrays of numbers, alone or by collective transfers over ranks, and arrays of text.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "array_file_handles.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// One collective transfer moves at most this many bytes a rank: MPI-IO counts in ints.
constexpr std::int64_t transfer_bytes = std::int64_t{256} << 20;

/// An opened array of numbers and the rows of it that this rank reads, in as many transfers as any rank needs.
struct Reading {
  std::string what;  // for messages
  Handle dataset;
  Handle space;
  Handle transfer;
  hid_t type = -1;  // in memory
  std::vector<hsize_t> shape;
  RowRange rows;
  std::int64_t row_bytes = 0;
  std::int64_t step = 1;    // rows a transfer
  std::int64_t rounds = 0;  // transfers of this rank
};

Reading start_reading(const ArrayFile::Impl& file, const std::string& name, std::optional<RowRange> rows,
                      NumericType type) {
  Reading reading;
  reading.what = fmt::format("read '{}'", name);
  reading.dataset = file.open_dataset(name);
  reading.space = file.own(H5Dget_space(reading.dataset.id()), H5Sclose, reading.what);
  reading.transfer = Handle(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  if (file.ranks != nullptr) H5Pset_dxpl_mpio(reading.transfer.id(), H5FD_MPIO_COLLECTIVE);
  reading.type = memory_type(type);
  const ArrayInfo info = describe_dataset(file, reading.dataset.id(), name);
  reading.shape.assign(info.shape.begin(), info.shape.end());
  reading.rows = rows.value_or(RowRange{0, info.rows()});
  const std::int64_t row_elements = info.rows() == 0 ? 1 : std::max<std::int64_t>(1, info.size() / info.rows());
  reading.row_bytes = row_elements * static_cast<std::int64_t>(H5Tget_size(reading.type));
  reading.step = std::max<std::int64_t>(1, transfer_bytes / reading.row_bytes);
  reading.rounds = (reading.rows.size() + reading.step - 1) / reading.step;
  return reading;
}

/// The transfer of one round; ranks with nothing (left) to read take part with an empty selection.
void transfer_round(const ArrayFile::Impl& file, const Reading& reading, std::int64_t round, void* out) {
  if (reading.shape.empty()) {
    file.check(H5Dread(reading.dataset.id(), reading.type, H5S_ALL, H5S_ALL, reading.transfer.id(), out), reading.what);
    return;
  }
  const std::int64_t begin = std::min(reading.rows.end, reading.rows.begin + round * reading.step);
  const std::int64_t end = std::min(reading.rows.end, begin + reading.step);
  std::vector<hsize_t> start(reading.shape.size(), 0);
  std::vector<hsize_t> count = reading.shape;
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  if (begin < end) {
    H5Sselect_hyperslab(reading.space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  } else {
    H5Sselect_none(reading.space.id());
    H5Sselect_none(memory.id());
  }
  auto* at = static_cast<std::byte*>(out) + (begin - reading.rows.begin) * reading.row_bytes;
  file.check(H5Dread(reading.dataset.id(), reading.type, memory.id(), reading.space.id(), reading.transfer.id(), at),
             reading.what);
}

bool moved_collectively(const Reading& reading) {
  H5D_mpio_actual_io_mode_t mode = H5D_MPIO_NO_COLLECTIVE;
  H5Pget_mpio_actual_io_mode(reading.transfer.id(), &mode);
  return mode != H5D_MPIO_NO_COLLECTIVE;
}

/// Texts stored as references that only HDF5 knows how to follow.
std::vector<std::string> read_variable_texts(const ArrayFile::Impl& file, const Handle& dataset, const Handle& stored,
                                             std::size_t count, const std::string& what) {
  const Handle space = file.own(H5Dget_space(dataset.id()), H5Sclose, what);
  std::vector<char*> pointers(count, nullptr);
  file.check(H5Dread(dataset.id(), stored.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), what);
  std::vector<std::string> texts(count);
  for (std::size_t i = 0; i < count; ++i)
    if (pointers[i] != nullptr) texts[i] = pointers[i];
  H5Dvlen_reclaim(stored.id(), space.id(), H5P_DEFAULT, pointers.data());
  return texts;
}

/// Texts of one width, padded with zeros or spaces.
std::vector<std::string> read_fixed_texts(const ArrayFile::Impl& file, const Handle& dataset, const Handle& stored,
                                          const ArrayInfo& info, const std::string& name) {
  const auto count = static_cast<std::size_t>(info.size());
  const std::size_t width = H5Tget_size(stored.id());
  std::vector<char> bytes(width * count);
  if (std::optional<ChunkReader> chunks = ChunkReader::open(file, name, info))
    chunks->read({0, info.rows()}, std::nullopt, bytes.data());
  else
    file.check(H5Dread(dataset.id(), stored.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
               fmt::format("read '{}'", name));
  const bool spaces = H5Tget_strpad(stored.id()) == H5T_STR_SPACEPAD;
  std::vector<std::string> texts(count);
  for (std::size_t i = 0; i < count; ++i) {
    texts[i].assign(bytes.data() + i * width, ::strnlen(bytes.data() + i * width, width));
    while (spaces && !texts[i].empty() && texts[i].back() == ' ') texts[i].pop_back();
  }
  return texts;
}

}  // namespace

void ArrayFile::make_room(const std::string& name, std::optional<RowRange> rows,
                          const std::function<void(std::size_t)>& allocate) const {
  const auto lock = lock_hdf5();
  impl_->agreed([&] {
    const ArrayInfo found = info(name);
    if (found.is_group() || !found.is_numeric())
      throw UserError(fmt::format("'{}' in '{}' is no array of numbers", name, impl_->path.string()));
    plausible_size(*impl_, found, name, found.size());
    if (!rows) return allocate(static_cast<std::size_t>(found.size()));
    if (found.shape.empty() || rows->begin < 0 || rows->begin > rows->end || rows->end > found.rows())
      throw InvariantError(fmt::format("rows [{}, {}) of '{}' ({}) in '{}'", rows->begin, rows->end, name,
                                       found.shape_text(), impl_->path.string()));
    allocate(found.rows() == 0 ? 0 : static_cast<std::size_t>(found.size() / found.rows() * rows->size()));
  });
}

/// Stored chunks on this process alone; false where HDF5 must read.
bool ArrayFile::read_chunks(const std::string& name, std::optional<RowRange> rows, NumericType type, void* out) const {
  if (impl_->ranks != nullptr) return false;
  const ArrayInfo found = info(name);
  std::optional<ChunkReader> chunks = ChunkReader::open(*impl_, name, found);
  if (chunks) chunks->read(rows.value_or(RowRange{0, found.rows()}), type, out);
  return chunks.has_value();
}

void ArrayFile::read_raw(const std::string& name, std::optional<RowRange> rows, NumericType type, void* out) const {
  const auto lock = lock_hdf5();
  if (read_chunks(name, rows, type, out)) return;
  Reading reading;
  impl_->agreed([&] { reading = start_reading(*impl_, name, rows, type); });
  Collectives* ranks = impl_->ranks;
  const std::int64_t rounds = ranks != nullptr ? ranks->all_reduce(reading.rounds, ReduceOp::max) : reading.rounds;
  bool collective = ranks != nullptr;
  for (std::int64_t round = 0; round < rounds; ++round) {
    impl_->agreed([&] { transfer_round(*impl_, reading, round, out); });
    collective = collective && moved_collectively(reading);
  }
  if (rounds == 0) return;
  impl_->any_transfer = true;
  impl_->all_collective = impl_->all_collective && collective;
}

std::vector<std::string> ArrayFile::read_text(const std::string& name) const {
  const auto lock = lock_hdf5();
  const std::string what = fmt::format("read '{}'", name);
  const Handle dataset = impl_->open_dataset(name);
  const ArrayInfo found = describe_dataset(*impl_, dataset.id(), name);
  if (found.kind != ArrayInfo::Kind::text)
    throw UserError(fmt::format("'{}' in '{}' holds no text", name, impl_->path.string()));
  const Handle stored = impl_->own(H5Dget_type(dataset.id()), H5Tclose, what);
  const bool variable = H5Tis_variable_str(stored.id()) > 0;
  plausible_size(*impl_, found, name, found.size());
  const auto count = static_cast<std::size_t>(found.size());
  if (count == 0) return {};
  std::optional<std::vector<std::string>> texts;
  if (variable) texts = read_heap_texts(*impl_, dataset, found, name);
  if (!texts)
    texts = variable ? read_variable_texts(*impl_, dataset, stored, count, what)
                     : read_fixed_texts(*impl_, dataset, stored, found, name);
  for (std::size_t i = 0; i < count; ++i)
    if (!is_utf8((*texts)[i]))
      throw UserError(
          fmt::format("text {} of '{}' in '{}' is not UTF-8: '{}'; write the file again with names and "
                      "labels in UTF-8",
                      i, shown(name), impl_->path.string(), shown((*texts)[i])));
  return std::move(*texts);
}

}  // namespace masksc
