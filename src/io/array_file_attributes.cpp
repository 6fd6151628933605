// Attributes of groups and arrays.
#include <fmt/format.h>

#include "array_file_handles.hpp"

namespace masksc {
namespace {

/// The attribute, or an invalid handle when the object has none of that name.
Handle find_attribute(const ArrayFile::Impl& file, const Handle& object, const std::string& key) {
  if (H5Aexists(object.id(), key.c_str()) <= 0) return {};
  return file.own(H5Aopen(object.id(), key.c_str(), H5P_DEFAULT), H5Aclose, fmt::format("read attribute '{}'", key));
}

std::size_t length_of(const ArrayFile::Impl& file, const Handle& attribute, const std::string& key) {
  const Handle space = file.own(H5Aget_space(attribute.id()), H5Sclose, fmt::format("read attribute '{}'", key));
  const hssize_t count = H5Sget_simple_extent_npoints(space.id());
  if (count < 0 || count > (1 << 24)) file.damaged(key, "is an attribute of impossible size");
  return static_cast<std::size_t>(count);
}

std::vector<std::string> read_texts(const ArrayFile::Impl& file, const Handle& attribute, const std::string& key) {
  const std::string what = fmt::format("read attribute '{}'", key);
  const Handle type = file.own(H5Aget_type(attribute.id()), H5Tclose, what);
  if (H5Tget_class(type.id()) != H5T_STRING) return {};
  const std::size_t count = length_of(file, attribute, key);
  std::vector<std::string> texts(count);
  if (count == 0) return texts;
  if (H5Tis_variable_str(type.id()) > 0) {
    std::vector<char*> pointers(count, nullptr);
    file.check(H5Aread(attribute.id(), type.id(), pointers.data()), what);
    for (std::size_t i = 0; i < count; ++i)
      if (pointers[i] != nullptr) texts[i] = pointers[i];
    const Handle space(H5Aget_space(attribute.id()), H5Sclose);
    H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, pointers.data());
    return texts;
  }
  const std::size_t width = H5Tget_size(type.id());
  if (width * count > (std::size_t{1} << 24)) file.damaged(key, "is an attribute of impossible size");
  std::vector<char> bytes(width * count);
  file.check(H5Aread(attribute.id(), type.id(), bytes.data()), what);
  for (std::size_t i = 0; i < count; ++i)
    texts[i].assign(bytes.data() + i * width, ::strnlen(bytes.data() + i * width, width));
  return texts;
}

void write_attribute(const ArrayFile::Impl& file, const std::string& name, const std::string& key, hid_t type,
                     const Handle& space, const void* values) {
  const std::string what = fmt::format("write attribute '{}' of '{}'", key, name);
  const Handle object = file.open_object(name);
  const Handle attribute =
      file.own(H5Acreate2(object.id(), key.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
  if (values != nullptr) file.check(H5Awrite(attribute.id(), type, values), what);
}

Handle line_space(std::size_t count) {
  const hsize_t extent = count;
  return {H5Screate_simple(1, &extent, nullptr), H5Sclose};
}

}  // namespace

std::optional<std::string> ArrayFile::text_attribute(const std::string& name, const std::string& key) const {
  const std::vector<std::string> texts = texts_attribute(name, key);
  if (texts.empty()) return std::nullopt;
  return texts.front();
}

std::vector<std::string> ArrayFile::texts_attribute(const std::string& name, const std::string& key) const {
  const auto lock = lock_hdf5();
  const Handle object = impl_->open_object(name);
  const Handle attribute = find_attribute(*impl_, object, key);
  return attribute.valid() ? read_texts(*impl_, attribute, key) : std::vector<std::string>{};
}

std::vector<std::int64_t> ArrayFile::integers_attribute(const std::string& name, const std::string& key) const {
  const auto lock = lock_hdf5();
  const Handle object = impl_->open_object(name);
  const Handle attribute = find_attribute(*impl_, object, key);
  if (!attribute.valid()) return {};
  const std::string what = fmt::format("read attribute '{}'", key);
  const Handle type = impl_->own(H5Aget_type(attribute.id()), H5Tclose, what);
  if (H5Tget_class(type.id()) != H5T_INTEGER || !is_plain_number(type.id())) return {};
  std::vector<std::int64_t> values(length_of(*impl_, attribute, key));
  if (!values.empty()) impl_->check(H5Aread(attribute.id(), H5T_NATIVE_INT64, values.data()), what);
  return values;
}

bool ArrayFile::flag_attribute(const std::string& name, const std::string& key) const {
  const auto lock = lock_hdf5();
  const Handle object = impl_->open_object(name);
  const Handle attribute = find_attribute(*impl_, object, key);
  if (!attribute.valid()) return false;
  const std::string what = fmt::format("read attribute '{}'", key);
  const Handle type = impl_->own(H5Aget_type(attribute.id()), H5Tclose, what);
  const bool kind = H5Tget_class(type.id()) == H5T_ENUM || H5Tget_class(type.id()) == H5T_INTEGER;
  if (!kind || H5Tget_size(type.id()) != 1 || length_of(*impl_, attribute, key) != 1) return false;
  std::uint8_t value = 0;
  impl_->check(H5Aread(attribute.id(), type.id(), &value), what);
  return value != 0;
}

void ArrayFile::set_attribute(const std::string& name, const std::string& key, const std::string& value) {
  const auto lock = lock_hdf5();
  const char* pointer = value.c_str();
  write_attribute(*impl_, name, key, text_type().id(), Handle(H5Screate(H5S_SCALAR), H5Sclose), &pointer);
}

void ArrayFile::set_attribute(const std::string& name, const std::string& key, std::span<const std::string> values) {
  const auto lock = lock_hdf5();
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  write_attribute(*impl_, name, key, text_type().id(), line_space(values.size()),
                  pointers.empty() ? nullptr : pointers.data());
}

void ArrayFile::set_attribute(const std::string& name, const std::string& key, std::span<const std::int64_t> values) {
  const auto lock = lock_hdf5();
  write_attribute(*impl_, name, key, H5T_NATIVE_INT64, line_space(values.size()), values.data());
}

void ArrayFile::set_flag_attribute(const std::string& name, const std::string& key, bool value) {
  const auto lock = lock_hdf5();
  const auto flag = static_cast<std::int8_t>(value);
  write_attribute(*impl_, name, key, flag_type().id(), Handle(H5Screate(H5S_SCALAR), H5Sclose), &flag);
}

}  // namespace masksc
