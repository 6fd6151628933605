// Creating and lengthening arrays.
#include <fmt/format.h>

#include <algorithm>

#include "array_file_handles.hpp"

namespace masksc {
namespace {

Handle space_of(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose};
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose};
}

/// Groups on the way are made as needed; names and values decide the bytes of the file, not the time of day.
Handle link_list() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(list.id(), 1);
  H5Pset_char_encoding(list.id(), H5T_CSET_UTF8);
  return list;
}

Handle creation_list(const std::vector<std::int64_t>& shape, const ArrayOptions& options, bool growing) {
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(list.id(), false);
  if (shape.empty() || options.chunk_rows <= 0) return list;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  for (hsize_t& extent : chunk) extent = std::max<hsize_t>(1, extent);
  const auto rows = static_cast<hsize_t>(options.chunk_rows);
  chunk[0] = growing ? rows : std::min(rows, chunk[0]);
  H5Pset_chunk(list.id(), static_cast<int>(chunk.size()), chunk.data());
  if (options.compression > 0) H5Pset_deflate(list.id(), static_cast<unsigned>(options.compression));
  return list;
}

std::int64_t elements_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

/// A new array of `type` filled with `values`.
void write_array(const ArrayFile::Impl& file, const std::string& name, hid_t type, const void* values,
                 const std::vector<std::int64_t>& shape, const ArrayOptions& options) {
  const std::string what = fmt::format("write '{}'", name);
  const Handle extent = space_of(shape);
  const Handle links = link_list();
  const Handle creation = creation_list(shape, options, false);
  const Handle dataset =
      file.own(H5Dcreate2(file.file.id(), name.c_str(), type, extent.id(), links.id(), creation.id(), H5P_DEFAULT),
               H5Dclose, what);
  if (elements_of(shape) > 0) file.check(H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), what);
}

}  // namespace

ArrayFile ArrayFile::create(const std::filesystem::path& path, std::int64_t alignment) {
  const auto lock = lock_hdf5();
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->writing = std::make_unique<WriteState>();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  use_staging_driver(access.id(), *impl->writing);
  const auto bytes = static_cast<hsize_t>(alignment);
  H5Pset_alignment(access.id(), bytes, bytes);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.id(), false);
  impl->file =
      impl->own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose, "create the file");
  return ArrayFile(std::move(impl));
}

void ArrayFile::close() {
  const auto lock = lock_hdf5();
  if (!impl_ || !impl_->file.valid()) return;
  const auto impl = std::move(impl_);
  const std::string what = "write the last blocks";
  for (auto& [name, dataset] : impl->growing) impl->check(dataset.close(), what);
  if (impl->writing) impl->check(H5Fflush(impl->file.id(), H5F_SCOPE_GLOBAL), what);
  impl->check(impl->file.close(), what);
}

void ArrayFile::create_group(const std::string& name) {
  const auto lock = lock_hdf5();
  const Handle links = link_list();
  const Handle group = impl_->own(H5Gcreate2(impl_->file.id(), name.c_str(), links.id(), H5P_DEFAULT, H5P_DEFAULT),
                                  H5Gclose, fmt::format("write the group '{}'", name));
}

void ArrayFile::rename(const std::string& name, const std::string& to) {
  const auto lock = lock_hdf5();
  const Handle links = link_list();
  impl_->check(H5Lmove(impl_->file.id(), name.c_str(), H5L_SAME_LOC, to.c_str(), links.id(), H5P_DEFAULT),
               fmt::format("rename '{}' to '{}'", name, to));
}

void ArrayFile::remove(const std::string& name) {
  const auto lock = lock_hdf5();
  impl_->check(H5Ldelete(impl_->file.id(), name.c_str(), H5P_DEFAULT), fmt::format("remove '{}'", name));
}

void ArrayFile::write_raw(const std::string& name, NumericType type, const void* values, std::size_t count,
                          const std::vector<std::int64_t>& shape, const ArrayOptions& options) {
  const auto lock = lock_hdf5();
  ensure(static_cast<std::size_t>(elements_of(shape)) == count, "the values of an array do not fill its shape");
  write_array(*impl_, name, memory_type(type), values, shape, options);
}

std::int64_t ArrayFile::reserve(const std::string& name, const std::vector<std::int64_t>& shape) {
  const auto lock = lock_hdf5();
  const std::string what = fmt::format("write '{}'", name);
  const Handle space = space_of(shape);
  const Handle links = link_list();
  const Handle creation = creation_list(shape, {}, false);
  H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER);
  const Handle dataset = impl_->own(H5Dcreate2(impl_->file.id(), name.c_str(), memory_type(NumericType::f32),
                                               space.id(), links.id(), creation.id(), H5P_DEFAULT),
                                    H5Dclose, what);
  if (elements_of(shape) == 0) return 0;
  const haddr_t place = H5Dget_offset(dataset.id());
  if (place == HADDR_UNDEF) impl_->fail(what);
  return static_cast<std::int64_t>(place);
}

void ArrayFile::write_text(const std::string& name, std::span<const std::string> values) {
  const auto lock = lock_hdf5();
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  write_array(*impl_, name, text_type().id(), pointers.data(), {static_cast<std::int64_t>(values.size())}, {});
}

void ArrayFile::write_text_scalar(const std::string& name, const std::string& value) {
  const auto lock = lock_hdf5();
  const char* pointer = value.c_str();
  write_array(*impl_, name, text_type().id(), &pointer, {}, {});
}

void ArrayFile::write_flags(const std::string& name, std::span<const std::uint8_t> values,
                            const std::vector<std::int64_t>& shape) {
  const auto lock = lock_hdf5();
  ensure(static_cast<std::size_t>(elements_of(shape)) == values.size(), "the flags do not fill their shape");
  write_array(*impl_, name, flag_type().id(), values.data(), shape, {});
}

void ArrayFile::create_array(const std::string& name, NumericType type, const std::vector<std::int64_t>& row_shape,
                             const ArrayOptions& options) {
  const auto lock = lock_hdf5();
  ensure(options.chunk_rows > 0, "an array that grows is stored in chunks");
  const std::string what = fmt::format("write '{}'", name);
  std::vector<std::int64_t> shape = {0};
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  std::vector<hsize_t> limits = extents;
  limits[0] = H5S_UNLIMITED;
  const Handle space =
      impl_->own(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), limits.data()), H5Sclose, what);
  const Handle links = link_list();
  const Handle creation = creation_list(shape, options, true);
  // Room for two chunks, so that a chunk filled by several appends is written once.
  const auto chunk_bytes =
      static_cast<std::size_t>(options.chunk_rows * std::max<std::int64_t>(1, elements_of(row_shape))) *
      H5Tget_size(memory_type(type));
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  H5Pset_chunk_cache(access.id(), 101, 2 * chunk_bytes + 1, 1.0);
  impl_->growing[name] = impl_->own(
      H5Dcreate2(impl_->file.id(), name.c_str(), memory_type(type), space.id(), links.id(), creation.id(), access.id()),
      H5Dclose, what);
}

void ArrayFile::append_raw(const std::string& name, NumericType type, const void* values, std::size_t count) {
  const auto lock = lock_hdf5();
  const auto found = impl_->growing.find(name);
  ensure(found != impl_->growing.end(), "append_rows without create_array");
  if (count == 0) return;
  const std::string what = fmt::format("write '{}'", name);
  const hid_t dataset = found->second.id();
  Handle space = impl_->own(H5Dget_space(dataset), H5Sclose, what);
  std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space.id())));
  H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  std::size_t row_elements = 1;
  for (std::size_t d = 1; d < extents.size(); ++d) row_elements *= extents[d];
  ensure(row_elements > 0 && count % row_elements == 0, "append_rows: whole rows only");
  std::vector<hsize_t> start(extents.size(), 0);
  std::vector<hsize_t> added = extents;
  start[0] = extents[0];
  added[0] = count / row_elements;
  extents[0] += added[0];
  impl_->check(H5Dset_extent(dataset, extents.data()), what);
  space = impl_->own(H5Dget_space(dataset), H5Sclose, what);
  H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, added.data(), nullptr);
  const Handle memory(H5Screate_simple(static_cast<int>(added.size()), added.data(), nullptr), H5Sclose);
  impl_->check(H5Dwrite(dataset, memory_type(type), memory.id(), space.id(), H5P_DEFAULT, values), what);
}

}  // namespace masksc
