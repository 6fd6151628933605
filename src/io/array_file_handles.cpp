// HDF5's handles, types and error text.
#include "array_file_handles.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "lzf.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

herr_t collect(unsigned /*depth*/, const H5E_error2_t* error, void* into) {
  auto& lines = *static_cast<std::vector<std::string>*>(into);
  if (error->desc != nullptr && *error->desc != '\0') lines.emplace_back(error->desc);
  return 0;
}

/// A way out of the file: what an array's bytes or a link may name. Files from elsewhere must not lead to other files.
const char* way_out(hid_t dataset) {
  const Handle list(H5Dget_create_plist(dataset), H5Pclose);
  if (H5Pget_layout(list.id()) == H5D_VIRTUAL) return "is put together from other files (a virtual dataset)";
  if (H5Pget_external_count(list.id()) > 0) return "keeps its numbers in other files (external storage)";
  return nullptr;
}

/// The text between "error message = '" and "'".
std::string system_message(const std::string& line) {
  constexpr std::string_view mark = "error message = '";
  const auto begin = line.find(mark);
  if (begin == std::string::npos) return {};
  const auto end = line.find('\'', begin + mark.size());
  return line.substr(begin + mark.size(), end == std::string::npos ? end : end - begin - mark.size());
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock_hdf5() {
  static std::recursive_mutex mutex;
  std::unique_lock lock(mutex);
  // Quiet, and blind to links into other files: then no path leads there.
  static const bool prepared =
      H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0 && H5Lunregister(H5L_TYPE_EXTERNAL) >= 0 && register_lzf();
  ensure(prepared, "HDF5 lets its links into other files be switched off, and filters be added");
  still_working();
  return lock;
}

HdfText hdf5_error_text() {
  std::vector<std::string> lines;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect, &lines);
  for (const std::string& line : lines) {
    std::string system = system_message(line);
    if (!system.empty()) return {std::move(system), true};
  }
  if (lines.empty()) return {"HDF5 gives no reason", false};
  if (lines.size() == 1) return {"HDF5: " + lines.front(), false};
  return {fmt::format("HDF5: {} ({})", lines.back(), lines.front()), false};
}

hid_t memory_type(NumericType type) {
  const std::array<hid_t, 10> types = {H5T_NATIVE_INT8,  H5T_NATIVE_UINT8,  H5T_NATIVE_INT16, H5T_NATIVE_UINT16,
                                       H5T_NATIVE_INT32, H5T_NATIVE_UINT32, H5T_NATIVE_INT64, H5T_NATIVE_UINT64,
                                       H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE};
  return types[static_cast<std::size_t>(type)];
}

Handle flag_type() {
  Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  std::int8_t value = 0;
  H5Tenum_insert(type.id(), "FALSE", &value);
  value = 1;
  H5Tenum_insert(type.id(), "TRUE", &value);
  return type;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

void ArrayFile::Impl::fail(const std::string& what) const {
  const HdfText reason = hdf5_error_text();
  if (writing)
    throw EnvironmentError(fmt::format("writing '{}' failed ({}): {}; check free space, quota and permissions",
                                       path.string(), what,
                                       write_failed() ? std::strerror(writing->error) : reason.text));
  if (reason.from_system)
    throw EnvironmentError(fmt::format("cannot {} from '{}': {}; check the disk or the network file system", what,
                                       path.string(), reason.text));
  throw UserError(
      fmt::format("cannot {} from '{}': {}; the file is damaged, incomplete or needs an HDF5 filter that "
                  "is not installed: copy or write it again",
                  what, path.string(), reason.text));
}

void ArrayFile::Impl::damaged(const std::string& name, const std::string& what) const {
  throw UserError(
      fmt::format("'{}' in '{}' {}; the file is damaged: copy or write it again", shown(name), path.string(), what));
}

void ArrayFile::Impl::refuse_link(const std::string& name) const {
  H5L_info_t link{};
  if (name == "/" || H5Lget_info(file.id(), name.c_str(), &link, H5P_DEFAULT) < 0 || link.type <= H5L_TYPE_SOFT) return;
  throw UserError(
      fmt::format("'{}' in '{}' is a link into another file, which mask-sc does not follow: write the file again with "
                  "what it leads to",
                  shown(name), path.string()));
}

Handle ArrayFile::Impl::open_dataset(const std::string& name, hid_t access) const {
  Handle dataset = own(H5Dopen2(file.id(), name.c_str(), access), H5Dclose, fmt::format("read '{}'", shown(name)));
  const char* way = way_out(dataset.id());
  if (way == nullptr) return dataset;
  throw UserError(
      fmt::format("'{}' in '{}' {}, which mask-sc does not follow: write the file again with the numbers in it",
                  shown(name), path.string(), way));
}

Handle ArrayFile::Impl::open_object(const std::string& name) const {
  refuse_link(name);
  return own(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), H5Oclose, fmt::format("read '{}'", name));
}

}  // namespace masksc
