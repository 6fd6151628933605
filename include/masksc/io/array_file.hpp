// Named arrays and attributes in one file: HDF5, wrapped once. HDF5 itself is seen only by src/io/array_file*.cpp.
//
// Names are paths ("obs/cell_type"). A file opened over MPI ranks moves its rows by collective transfers; ranks that
// are threads each open the file for themselves, and a global lock lets one thread at a time into HDF5. Ranks agree on
// the outcome of every read: what one of them meets, all of them throw. A failing read throws UserError (the file is
// damaged or not what it should be) or EnvironmentError (the disk or the network failed); a failing write throws
// EnvironmentError. HDF5's own words are part of the message.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/memory.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

enum class NumericType { i8, u8, i16, u16, i32, u32, i64, u64, f32, f64 };

template <typename T>
concept ArrayElement =
    (std::integral<T> && !std::same_as<T, bool> && sizeof(T) <= 8) || std::same_as<T, float> || std::same_as<T, double>;

template <ArrayElement T>
constexpr NumericType numeric_type() {
  if constexpr (std::same_as<T, float>) return NumericType::f32;
  if constexpr (std::same_as<T, double>) return NumericType::f64;
  if constexpr (sizeof(T) == 1) return std::is_signed_v<T> ? NumericType::i8 : NumericType::u8;
  if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? NumericType::i16 : NumericType::u16;
  if constexpr (sizeof(T) == 4) return std::is_signed_v<T> ? NumericType::i32 : NumericType::u32;
  return std::is_signed_v<T> ? NumericType::i64 : NumericType::u64;
}

/// Calls `work(T{})` with the C++ type that `type` stands for.
template <typename Work>
decltype(auto) with_numeric_type(NumericType type, Work&& work) {
  switch (type) {
    case NumericType::i8:
      return work(std::int8_t{});
    case NumericType::u8:
      return work(std::uint8_t{});
    case NumericType::i16:
      return work(std::int16_t{});
    case NumericType::u16:
      return work(std::uint16_t{});
    case NumericType::i32:
      return work(std::int32_t{});
    case NumericType::u32:
      return work(std::uint32_t{});
    case NumericType::i64:
      return work(std::int64_t{});
    case NumericType::u64:
      return work(std::uint64_t{});
    case NumericType::f32:
      return work(float{});
    default:
      return work(double{});
  }
}

/// What stands under a name.
struct ArrayInfo {
  enum class Kind { group, integer, floating, boolean, text, other };
  Kind kind = Kind::other;
  std::vector<std::int64_t> shape;      // empty: a scalar or a group
  NumericType type = NumericType::f64;  // the type that holds the stored numbers without loss
  std::vector<std::int64_t> chunk;      // empty: stored in one piece
  bool compressed = false;              // or filtered in any other way
  std::int64_t stored_bytes = 0;        // on disk
  std::int64_t element_bytes = 0;       // of one stored element

  [[nodiscard]] bool is_group() const { return kind == Kind::group; }
  [[nodiscard]] bool is_numeric() const {
    return kind == Kind::integer || kind == Kind::floating || kind == Kind::boolean;
  }
  [[nodiscard]] std::int64_t rows() const { return shape.empty() ? 1 : shape.front(); }
  /// Elements in all.
  [[nodiscard]] std::int64_t size() const;
  /// "4186 x 13488".
  [[nodiscard]] std::string shape_text() const;
};

/// How a new array is stored.
struct ArrayOptions {
  std::int64_t chunk_rows = 0;  // rows a chunk; 0: in one piece
  int compression = 0;          // gzip level, 0 to 9; needs chunks
};

/// "1.10.8".
std::string hdf5_version();

/// Rows of one array, read in ascending order so that each stored chunk is inflated once, in bounded memory even when
/// one chunk holds everything. Going back is allowed and starts over.
class RowStream {
 public:
  RowStream() = default;
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;
  virtual ~RowStream() = default;
  [[nodiscard]] virtual const ArrayInfo& info() const = 0;
  /// Writes the numbers of `rows`, of type info().type, to `out`.
  virtual void read(RowRange rows, void* out) = 0;
};

class ArrayFile {
 public:
  /// Throws UserError: not there, a folder, not HDF5, truncated.
  static ArrayFile open(const std::filesystem::path& path);
  /// Opened by all ranks together; a collective. The ranks must outlive the file.
  static ArrayFile open(const std::filesystem::path& path, Collectives& ranks);
  /// A new file, in place of any old one. Arrays of at least `alignment` bytes begin at multiples of it.
  static ArrayFile create(const std::filesystem::path& path, std::int64_t alignment = 1);
  ArrayFile(ArrayFile&&) noexcept;
  ArrayFile& operator=(ArrayFile&&) noexcept;
  ~ArrayFile();
  /// Writes what is still in memory and closes. Throws EnvironmentError (disk full); the destructor is silent.
  void close();

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] bool exists(const std::string& name) const;
  /// Names in `group`, sorted; "/" is the root.
  [[nodiscard]] std::vector<std::string> children(const std::string& group) const;
  [[nodiscard]] ArrayInfo info(const std::string& name) const;

  /// All elements, row-major. A collective on a file opened over ranks.
  template <ArrayElement T>
  [[nodiscard]] std::vector<T> read(const std::string& name) const {
    std::vector<T> values;
    make_room(name, std::nullopt, [&](std::size_t count) { values = large_vector<T>(count); });
    read_raw(name, std::nullopt, numeric_type<T>(), values.data());
    return values;
  }
  /// Rows (first dimension) of an array; a collective on a file opened over ranks, each rank with its own rows.
  template <ArrayElement T>
  [[nodiscard]] std::vector<T> read_rows(const std::string& name, RowRange rows) const {
    std::vector<T> values;
    make_room(name, rows, [&](std::size_t count) { values = large_vector<T>(count); });
    read_raw(name, rows, numeric_type<T>(), values.data());
    return values;
  }
  /// Throws UserError unless every element of the array, stored without filters, has its place in the file.
  void check_storage(const std::string& name) const;
  /// The same for an array of one dimension that is stored in chunks; returns the byte of the file at which each
  /// begins.
  [[nodiscard]] std::vector<std::int64_t> chunk_places(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> read_text(const std::string& name) const;
  [[nodiscard]] std::unique_ptr<RowStream> stream_rows(const std::string& name) const;

  void create_group(const std::string& name);
  /// An array of `shape` ({}: a scalar).
  template <ArrayElement T>
  void write(const std::string& name, std::span<const T> values, const std::vector<std::int64_t>& shape,
             const ArrayOptions& options = {}) {
    write_raw(name, numeric_type<T>(), values.data(), values.size(), shape, options);
  }
  /// Room for a float32 array in one piece whose values are put there by other means, once this file is closed; returns
  /// the byte of the file at which they begin.
  std::int64_t reserve(const std::string& name, const std::vector<std::int64_t>& shape);
  /// UTF-8 texts of variable length, as h5py and anndata write them.
  void write_text(const std::string& name, std::span<const std::string> values);
  void write_text_scalar(const std::string& name, const std::string& value);
  /// True and false as h5py writes them (an enumeration of FALSE and TRUE); shape {} is a scalar.
  void write_flags(const std::string& name, std::span<const std::uint8_t> values,
                   const std::vector<std::int64_t>& shape);
  /// An array without rows that `append_rows` lengthens; `row_shape` are the further dimensions.
  void create_array(const std::string& name, NumericType type, const std::vector<std::int64_t>& row_shape,
                    const ArrayOptions& options);
  template <ArrayElement T>
  void append_rows(const std::string& name, std::span<const T> values) {
    append_raw(name, numeric_type<T>(), values.data(), values.size());
  }

  /// Gives an array or group of this file another name, which nothing has yet.
  void rename(const std::string& name, const std::string& to);
  /// Takes an array or group out of this file.
  void remove(const std::string& name);

  // What stands in another file, as it is stored there. Throw UserError when that is damaged or keeps its numbers in
  // other files.
  /// An array with its attributes.
  void copy_array(const ArrayFile& from, const std::string& name, const std::string& to);
  /// The rows of an array that `rows` name, in ascending order and apart, with its attributes; in bounded memory.
  /// Unless empty, `columns` are those of the second dimension that are taken.
  void copy_rows(const ArrayFile& from, const std::string& name, const std::string& to, std::span<const RowRange> rows,
                 std::span<const RowRange> columns = {});
  /// Attributes that `to` does not have yet, but for references to places of the other file.
  void copy_attributes(const ArrayFile& from, const std::string& name, const std::string& to);

  // Attributes of the object `name` ("/" is the root).
  [[nodiscard]] std::optional<std::string> text_attribute(const std::string& name, const std::string& key) const;
  [[nodiscard]] std::vector<std::string> texts_attribute(const std::string& name, const std::string& key) const;
  [[nodiscard]] std::vector<std::int64_t> integers_attribute(const std::string& name, const std::string& key) const;
  /// False where it is not there, or is no flag.
  [[nodiscard]] bool flag_attribute(const std::string& name, const std::string& key) const;
  void set_attribute(const std::string& name, const std::string& key, const std::string& value);
  void set_attribute(const std::string& name, const std::string& key, std::span<const std::string> values);
  void set_attribute(const std::string& name, const std::string& key, std::span<const std::int64_t> values);
  void set_flag_attribute(const std::string& name, const std::string& key, bool value);

  /// Whether HDF5 says that every read of numbers so far moved its data by collective MPI-IO.
  [[nodiscard]] bool transfers_were_collective() const;

  struct Impl;

 private:
  explicit ArrayFile(std::unique_ptr<Impl> impl);
  /// Calls `allocate` with the number of elements; throws UserError when the file can't hold so many.
  void make_room(const std::string& name, std::optional<RowRange> rows,
                 const std::function<void(std::size_t)>& allocate) const;
  bool read_chunks(const std::string& name, std::optional<RowRange> rows, NumericType type, void* out) const;
  void read_raw(const std::string& name, std::optional<RowRange> rows, NumericType type, void* out) const;
  void write_raw(const std::string& name, NumericType type, const void* values, std::size_t count,
                 const std::vector<std::int64_t>& shape, const ArrayOptions& options);
  void append_raw(const std::string& name, NumericType type, const void* values, std::size_t count);

  std::unique_ptr<Impl> impl_;
};

}  // namespace masksc
