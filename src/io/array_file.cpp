// Opening files of arrays and describing what they hold.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

#include "array_file_handles.hpp"
#include "global_heap.hpp"
#include "masksc/core/descriptor.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// The command that unpacks a file which begins as those of gzip and zip do; "" for others.
std::string unpacking(const Descriptor& file, const std::filesystem::path& path) {
  std::array<std::byte, 2> first{};
  if (read_at(file, 0, first) != first.size()) return "";
  const std::string name = path.string();
  if (first == std::array{std::byte{'P'}, std::byte{'K'}}) return "unzip " + quoted_word(name);
  if (first != std::array{std::byte{0x1F}, std::byte{0x8B}}) return "";
  if (name.ends_with(".tar.gz") || name.ends_with(".tgz")) return "tar -xzf " + quoted_word(name);
  if (name.ends_with(".gz")) return "gunzip " + quoted_word(name);
  return fmt::format("gunzip -c {} > {}", quoted_word(name), quoted_word(name + ".unpacked"));
}

/// Throws UserError with the reason why `path` can't be a readable HDF5 file.
void check_readable(const std::filesystem::path& path) {
  constexpr const char* wanted = "give an HDF5 file of counts (h5ad, X/Y or 10x), or a 10x folder with matrix.mtx";
  struct stat status {};
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file)
    throw UserError(
        fmt::format("cannot open '{}': {}; check the name and the permissions", path.string(), std::strerror(errno)));
  const bool known = ::fstat(file.number(), &status) == 0;
  if (known && S_ISDIR(status.st_mode)) {
    std::error_code ignored;
    const std::filesystem::path result = path / "result.h5ad";
    if (std::filesystem::exists(result, ignored))
      throw UserError(fmt::format("'{}' is the folder of a run: give '{}'", path.string(), result.string()));
    throw UserError(fmt::format("'{}' is a folder: {}", path.string(), wanted));
  }
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 > 0) return;
  if (known && status.st_size == 0) throw UserError(fmt::format("'{}' is empty (0 bytes): {}", path.string(), wanted));
  if (const std::string command = unpacking(file, path); !command.empty())
    throw UserError(fmt::format("'{}' is packed: unpack it first ({}), then {}", path.string(), command, wanted));
  throw UserError(fmt::format("'{}' is not an HDF5 file: {}", path.string(), wanted));
}

Handle access_list() {
  Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // Locks fail on some network file systems, and nobody writes to an input while it is read.
  H5Pset_file_locking(list.id(), 0, 1);
  return list;
}

/// Whether an enumeration has the members FALSE and TRUE alone, as h5py writes flags.
bool is_flag(hid_t type) {
  return H5Tget_nmembers(type) == 2 && H5Tget_member_index(type, "FALSE") >= 0 &&
         H5Tget_member_index(type, "TRUE") >= 0;
}

/// An enumeration that is no flag is the integers behind its names, as for h5py.
ArrayInfo::Kind kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return ArrayInfo::Kind::integer;
    case H5T_FLOAT:
      return ArrayInfo::Kind::floating;
    case H5T_ENUM:
      return is_flag(type) ? ArrayInfo::Kind::boolean : ArrayInfo::Kind::integer;
    case H5T_STRING:
      return ArrayInfo::Kind::text;
    default:
      return ArrayInfo::Kind::other;
  }
}

bool is_plain_integer(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  return (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) && H5Tget_offset(type) == 0 &&
         H5Tget_precision(type) == 8 * bytes &&
         (H5Tget_order(type) == H5T_ORDER_LE || H5Tget_order(type) == H5T_ORDER_BE);
}

/// Half, single, double, and the 80 bits of the x86.
bool is_plain_float(hid_t type) {
  struct Format {
    std::size_t bytes, precision, sign, exponent, exponent_bits, mantissa_bits, bias;
  };
  constexpr std::array<Format, 4> formats = {Format{2, 16, 15, 10, 5, 10, 15}, Format{4, 32, 31, 23, 8, 23, 127},
                                             Format{8, 64, 63, 52, 11, 52, 1023},
                                             Format{16, 80, 79, 64, 15, 64, 16383}};
  std::size_t sign = 0;
  std::size_t exponent = 0;
  std::size_t exponent_bits = 0;
  std::size_t mantissa = 0;
  std::size_t mantissa_bits = 0;
  if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return false;
  const bool ordered = H5Tget_order(type) == H5T_ORDER_LE || H5Tget_order(type) == H5T_ORDER_BE;
  return ordered && std::any_of(formats.begin(), formats.end(), [&](const Format& f) {
           return f.bytes == H5Tget_size(type) && H5Tget_offset(type) == 0 && f.precision == H5Tget_precision(type) &&
                  f.sign == sign && f.exponent == exponent && f.exponent_bits == exponent_bits && mantissa == 0 &&
                  f.mantissa_bits == mantissa_bits && f.bias == H5Tget_ebias(type);
         });
}

NumericType nearest_type(hid_t type, ArrayInfo::Kind kind) {
  const std::size_t bytes = H5Tget_size(type);
  if (kind == ArrayInfo::Kind::boolean) return NumericType::i8;
  if (kind == ArrayInfo::Kind::floating) return bytes <= 4 ? NumericType::f32 : NumericType::f64;
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  const std::size_t width = bytes <= 1 ? 0 : bytes <= 2 ? 1 : bytes <= 4 ? 2 : 3;
  return static_cast<NumericType>(2 * width + (is_signed ? 0 : 1));
}

}  // namespace

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

bool is_plain_number(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return is_plain_integer(type);
    case H5T_FLOAT:
      return is_plain_float(type);
    case H5T_ENUM: {
      const Handle base(H5Tget_super(type), H5Tclose);
      return base.valid() && H5Tget_class(base.id()) == H5T_INTEGER && is_plain_integer(base.id());
    }
    default:
      return false;
  }
}

std::int64_t ArrayInfo::size() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape)
    if (__builtin_mul_overflow(count, extent, &count)) return INT64_MAX;
  return count;
}

std::string ArrayInfo::shape_text() const {
  return shape.empty() ? "one value" : fmt::format("{}", fmt::join(shape, " x "));
}

ArrayInfo describe_dataset(const ArrayFile::Impl& file, hid_t dataset, const std::string& name) {
  ArrayInfo info;
  const std::string what = fmt::format("read the description of '{}'", name);
  const Handle type = file.own(H5Dget_type(dataset), H5Tclose, what);
  const Handle space = file.own(H5Dget_space(dataset), H5Sclose, what);
  const Handle list = file.own(H5Dget_create_plist(dataset), H5Pclose, what);
  info.kind = kind_of(type.id());
  if (info.is_numeric() && !is_plain_number(type.id())) info.kind = ArrayInfo::Kind::other;
  if (info.is_numeric()) info.type = nearest_type(type.id(), info.kind);
  const int dimensions = H5Sget_simple_extent_ndims(space.id());
  if (dimensions < 0) file.fail(what);
  std::vector<hsize_t> extents(static_cast<std::size_t>(dimensions));
  if (dimensions > 0) H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  if (H5Sget_simple_extent_type(space.id()) == H5S_NULL) extents = {0};
  for (const hsize_t extent : extents)
    info.shape.push_back(static_cast<std::int64_t>(std::min<hsize_t>(extent, INT64_MAX)));
  if (dimensions > 0 && H5Pget_layout(list.id()) == H5D_CHUNKED) {
    if (H5Pget_chunk(list.id(), dimensions, extents.data()) != dimensions)
      file.damaged(name, "has chunks of other dimensions");
    for (const hsize_t extent : extents) info.chunk.push_back(static_cast<std::int64_t>(extent));
  }
  info.compressed = H5Pget_nfilters(list.id()) > 0;
  // HDF5 gives the size of a pointer for texts of variable length.
  const bool variable = info.kind == ArrayInfo::Kind::text && H5Tis_variable_str(type.id()) > 0;
  info.element_bytes = static_cast<std::int64_t>(variable ? TextReference::stored_bytes : H5Tget_size(type.id()));
  info.stored_bytes = static_cast<std::int64_t>(H5Dget_storage_size(dataset));
  return info;
}

void plausible_size(const ArrayFile::Impl& file, const ArrayInfo& info, const std::string& name,
                    std::int64_t elements) {
  // Gzip shrinks to a thousandth at most, and filters of plugins little further.
  constexpr std::int64_t always_allowed = std::int64_t{64} << 20;
  constexpr std::int64_t greatest_ratio = 1 << 12;
  const auto refuse = [&] {
    file.damaged(name,
                 fmt::format("claims {} values, but only {} bytes are stored", info.shape_text(), info.stored_bytes));
  };
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, info.element_bytes, &bytes)) bytes = INT64_MAX;
  if (info.chunk.empty() && info.stored_bytes > 0 && bytes > info.stored_bytes) refuse();
  if (bytes > always_allowed && bytes / greatest_ratio > info.stored_bytes) refuse();
}

ArrayFile::ArrayFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArrayFile::ArrayFile(ArrayFile&&) noexcept = default;
ArrayFile& ArrayFile::operator=(ArrayFile&&) noexcept = default;
ArrayFile::~ArrayFile() {
  const auto lock = lock_hdf5();
  // Closing over MPI is a collective. When an error is passing, the other ranks may be elsewhere, and this one would
  // wait for them instead of telling what happened: the file stays open then.
  if (impl_ && impl_->ranks != nullptr && std::uncaught_exceptions() > 0)
    static_cast<void>(impl_.release());
  else
    impl_.reset();
}

ArrayFile ArrayFile::open(const std::filesystem::path& path) {
  const auto lock = lock_hdf5();
  check_readable(path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const Handle access = access_list();
  impl->file = impl->own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "read the beginning");
  return ArrayFile(std::move(impl));
}

ArrayFile ArrayFile::open(const std::filesystem::path& path, Collectives& ranks) {
  if (ranks.mpi_communicator() == nullptr) {
    std::optional<ArrayFile> file;
    together(ranks, [&] { file.emplace(open(path)); });
    return std::move(*file);
  }
  auto impl = std::make_unique<Impl>();
  together(ranks, [&] {
    const auto lock = lock_hdf5();
    check_readable(path);
  });
  together(ranks, [&] {
    const auto lock = lock_hdf5();
    impl->path = path;
    impl->ranks = &ranks;
    const Handle access = access_list();
    H5Pset_fapl_mpio(access.id(), *static_cast<const MPI_Comm*>(ranks.mpi_communicator()), MPI_INFO_NULL);
    impl->file = impl->own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "read the beginning");
  });
  return ArrayFile(std::move(impl));
}

const std::filesystem::path& ArrayFile::path() const { return impl_->path; }

bool ArrayFile::exists(const std::string& name) const {
  const auto lock = lock_hdf5();
  if (name == "/") return true;
  // Each part of the path must be there before HDF5 may be asked for the next.
  for (std::size_t slash = name.find('/', 1);; slash = name.find('/', slash + 1)) {
    const std::string part = name.substr(0, slash);
    if (H5Lexists(impl_->file.id(), part.c_str(), H5P_DEFAULT) <= 0) return false;
    impl_->refuse_link(part);
    if (slash == std::string::npos) break;
  }
  return H5Oexists_by_name(impl_->file.id(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> ArrayFile::children(const std::string& group) const {
  const auto lock = lock_hdf5();
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  const std::string what = fmt::format("list '{}'", group);
  const Handle opened = impl_->own(H5Gopen2(impl_->file.id(), group.c_str(), H5P_DEFAULT), H5Gclose, what);
  impl_->check(H5Literate(opened.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names), what);
  return names;
}

ArrayInfo ArrayFile::info(const std::string& name) const {
  const auto lock = lock_hdf5();
  const Handle object = impl_->open_object(name);
  const H5I_type_t type = H5Iget_type(object.id());
  if (type == H5I_DATASET) return describe_dataset(*impl_, object.id(), name);
  ArrayInfo info;
  if (type == H5I_GROUP) info.kind = ArrayInfo::Kind::group;
  return info;
}

bool ArrayFile::transfers_were_collective() const { return impl_->any_transfer && impl_->all_collective; }

}  // namespace masksc
