// What the files array_file*.cpp share: RAII handles of HDF5, its error text, the lock, the open file.
#pragma once

#include <hdf5.h>

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "array_file_driver.hpp"
#include "chunk_filters.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {

/// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { close(); }
  /// Negative when HDF5 could not close.
  herr_t close() noexcept { return id_ >= 0 ? close_(std::exchange(id_, -1)) : 0; }
  [[nodiscard]] hid_t id() const noexcept { return id_; }
  [[nodiscard]] bool valid() const noexcept { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// One thread at a time inside HDF5, whose library is not thread-safe; also switches off its printing of errors and its
/// links into other files.
std::unique_lock<std::recursive_mutex> lock_hdf5();

/// The innermost words on HDF5's error stack, with the system's where there are any.
struct HdfText {
  std::string text;
  bool from_system = false;  // errno was set: the disk or the network, not the content
};
HdfText hdf5_error_text();

hid_t memory_type(NumericType type);
/// The enumeration {FALSE, TRUE} that h5py uses for booleans.
Handle flag_type();
/// UTF-8, variable length.
Handle text_type();

struct ArrayFile::Impl {
  std::filesystem::path path;
  std::unique_ptr<WriteState> writing;  // set in a file being written; outlives the handles
  Handle file;
  Collectives* ranks = nullptr;           // set when opened over MPI
  std::map<std::string, Handle> growing;  // arrays that append_rows lengthens
  bool all_collective = true;
  bool any_transfer = false;

  /// Throws the error of a failed HDF5 call: `what` says what was being done ("read 'X'").
  [[noreturn]] void fail(const std::string& what) const;
  /// Throws UserError: `what` is wrong with `name`; the file is damaged.
  [[noreturn]] void damaged(const std::string& name, const std::string& what) const;
  /// Runs `work`; over MPI, what fails on one rank is thrown on all.
  template <typename Work>
  void agreed(Work&& work) const {
    if (ranks != nullptr) return together(*ranks, work);
    work();
  }
  /// An id that HDF5 returned, checked.
  Handle own(hid_t id, Handle::Close close, const std::string& what) const {
    Handle handle(id, close);
    if (id < 0 || write_failed()) fail(what);
    return handle;
  }
  void check(herr_t result, const std::string& what) const {
    if (result < 0 || write_failed()) fail(what);
  }
  [[nodiscard]] bool write_failed() const { return writing && writing->error != 0; }
  /// Throws UserError when the array's numbers lie in other files.
  [[nodiscard]] Handle open_dataset(const std::string& name, hid_t access = H5P_DEFAULT) const;
  [[nodiscard]] Handle open_object(const std::string& name) const;
  /// Throws UserError when `name` is a link into another file.
  void refuse_link(const std::string& name) const;
};

/// Whether a chunk of an array that is stored in chunks has all columns of its rows.
bool spans_whole_rows(const ArrayInfo& info);

/// The chunks of an array, read as they lie in the file and unpacked here.
class ChunkReader {
 public:
  /// nullopt when the array isn't stored in chunks, or by filters that only HDF5 (or a plugin of it) can undo.
  static std::optional<ChunkReader> open(const ArrayFile::Impl& file, const std::string& name, const ArrayInfo& info);

  /// The elements of `rows`, each `element_bytes` long: the stored ones, or of type `memory` where that is given.
  /// A band of chunks that is read in part is kept for the next call.
  void read(RowRange rows, std::optional<NumericType> memory, void* out);
  /// Bytes of an element in memory.
  [[nodiscard]] std::size_t element_bytes(std::optional<NumericType> memory) const;

 private:
  ChunkReader(const ArrayFile::Impl& file, std::string name, ArrayInfo info)
      : file_(&file), name_(std::move(name)), info_(std::move(info)) {}
  /// 0 for a chunk that was never written.
  [[nodiscard]] std::size_t stored_bytes(const std::vector<hsize_t>& offset) const;
  [[nodiscard]] std::vector<std::uint8_t> unpack(const std::vector<hsize_t>& offset) const;
  [[nodiscard]] bool is_stored_as(std::optional<NumericType> memory) const;
  void convert(std::vector<std::uint8_t>& chunk, std::optional<NumericType> memory) const;
  [[nodiscard]] std::vector<std::uint8_t> fill(std::optional<NumericType> memory) const;
  bool read_straight(RowRange rows, std::optional<NumericType> memory, std::uint8_t* out) const;
  void read_band(RowRange rows, std::optional<NumericType> memory, std::uint8_t* out) const;

  const ArrayFile::Impl* file_;
  std::string name_;
  ArrayInfo info_;
  Handle dataset_;
  Handle stored_type_;
  std::vector<ChunkFilter> filters_;
  std::size_t chunk_elements_ = 1;
  std::int64_t kept_band_ = -1;
  std::vector<std::uint8_t> kept_;  // rows of kept_band_
};

/// Whether HDF5 may be asked to convert the stored type `type` to numbers: whole bytes of an integer, an enumeration of
/// them, or one of the usual floating-point formats. A damaged type makes the conversion run out of bounds.
bool is_plain_number(hid_t type);

ArrayInfo describe_dataset(const ArrayFile::Impl& file, hid_t dataset, const std::string& name);
/// Throws UserError when the stored bytes can't possibly hold `elements` numbers.
void plausible_size(const ArrayFile::Impl& file, const ArrayInfo& info, const std::string& name, std::int64_t elements);

/// The texts of variable length of `dataset`, read from the file's heaps without HDF5; nullopt where only HDF5 knows
/// how the references to them are stored. Throws UserError when they point nowhere.
std::optional<std::vector<std::string>> read_heap_texts(const ArrayFile::Impl& file, const Handle& dataset,
                                                        const ArrayInfo& info, const std::string& name);

}  // namespace masksc
