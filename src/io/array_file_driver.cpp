// POSIX reads and writes for HDF5, with failures remembered instead of returned.
#include "array_file_driver.hpp"

#include "array_file_handles.hpp"

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#endif
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "masksc/core/descriptor.hpp"

namespace masksc {
namespace {

struct StagingFile {
  H5FD_t common{};  // HDF5's own part comes first
  WriteState* state = nullptr;
  Descriptor descriptor;
  haddr_t allocated = 0;
  haddr_t length = 0;
};

StagingFile& self(H5FD_t* file) { return *reinterpret_cast<StagingFile*>(file); }
const StagingFile& self(const H5FD_t* file) { return *reinterpret_cast<const StagingFile*>(file); }

H5FD_t* open_file(const char* name, unsigned flags, hid_t access, haddr_t /*greatest*/) {
  WriteState* state = *static_cast<WriteState* const*>(H5Pget_driver_info(access));
  const int truncate = (flags & H5F_ACC_TRUNC) != 0 ? O_TRUNC : 0;
  Descriptor descriptor(::open(name, O_RDWR | O_CREAT | O_CLOEXEC | truncate, S_IRUSR | S_IWUSR));
  if (!descriptor) {
    state->error = errno;
    return nullptr;
  }
  auto file = std::make_unique<StagingFile>();
  file->state = state;
  file->descriptor = std::move(descriptor);
  return &file.release()->common;
}

herr_t close_file(H5FD_t* file) {
  const std::unique_ptr<StagingFile> owned(&self(file));
  if (!owned->descriptor.close() && owned->state->error == 0) owned->state->error = errno;
  return 0;
}

int compare(const H5FD_t* a, const H5FD_t* b) { return a < b ? -1 : (a > b ? 1 : 0); }

herr_t query(const H5FD_t* /*file*/, unsigned long* flags) {
  if (flags != nullptr)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t get_allocated(const H5FD_t* file, H5FD_mem_t /*type*/) { return self(file).allocated; }
herr_t set_allocated(H5FD_t* file, H5FD_mem_t /*type*/, haddr_t address) {
  self(file).allocated = address;
  return 0;
}
haddr_t get_length(const H5FD_t* file, H5FD_mem_t /*type*/) { return self(file).length; }

/// Copies the part of `unwritten` that lies in [address, address + bytes.size()) over `bytes`.
void overlay(const WriteState& state, haddr_t address, std::span<std::byte> bytes) {
  for (const auto& [start, kept] : state.unwritten) {
    const haddr_t begin = std::max(start, address);
    const haddr_t end = std::min(start + kept.size(), address + bytes.size());
    if (begin < end) std::memcpy(bytes.data() + (begin - address), kept.data() + (begin - start), end - begin);
  }
}

herr_t read_bytes(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t address, std::size_t size,
                  void* buffer) {
  const std::span bytes(static_cast<std::byte*>(buffer), size);
  WriteState& state = *self(file).state;
  const std::optional<std::size_t> got = read_at(self(file).descriptor, address, bytes);
  if (!got && state.error == 0) state.error = errno;
  std::ranges::fill(bytes.subspan(got.value_or(0)), std::byte{0});  // beyond the end all is zero
  overlay(state, address, bytes);
  return 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t address, std::size_t size,
                   const void* buffer) {
  StagingFile& staging = self(file);
  const std::span bytes(static_cast<const std::byte*>(buffer), size);
  WriteState& state = *staging.state;
  if (state.error == 0 && !write_at(staging.descriptor, address, bytes)) state.error = errno;
  if (state.error != 0) {
    // Later bytes win over earlier ones, whatever their start.
    for (auto& [start, kept] : state.unwritten) {
      const haddr_t begin = std::max(start, address);
      const haddr_t end = std::min(start + kept.size(), address + size);
      if (begin < end) std::memcpy(kept.data() + (begin - start), bytes.data() + (begin - address), end - begin);
    }
    auto& kept = state.unwritten[address];
    if (kept.size() < size) kept.assign(bytes.begin(), bytes.end());
  }
  staging.length = std::max(staging.length, address + size);
  return 0;
}

herr_t truncate_file(H5FD_t* file, hid_t /*transfer*/, hbool_t /*closing*/) {
  StagingFile& staging = self(file);
  if (staging.state->error == 0 && ::ftruncate(staging.descriptor.number(), static_cast<off_t>(staging.allocated)) != 0)
    staging.state->error = errno;
  staging.length = staging.allocated;
  return 0;
}

hid_t driver_id() {
  static const hid_t id = [] {
    H5FD_class_t driver{};
#ifdef H5FD_CLASS_VERSION
    driver.version = H5FD_CLASS_VERSION;
    driver.value = static_cast<H5FD_class_value_t>(513);
#endif
    driver.name = "masksc_staging";
    driver.maxaddr = static_cast<haddr_t>(INT64_MAX);
    driver.fc_degree = H5F_CLOSE_STRONG;
    driver.fapl_size = sizeof(WriteState*);
    driver.open = open_file;
    driver.close = close_file;
    driver.cmp = compare;
    driver.query = query;
    driver.get_eoa = get_allocated;
    driver.set_eoa = set_allocated;
    driver.get_eof = get_length;
    driver.read = read_bytes;
    driver.write = write_bytes;
    driver.truncate = truncate_file;
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), std::begin(driver.fl_map));
    return H5FDregister(&driver);
  }();
  return id;
}

}  // namespace

void use_staging_driver(hid_t list, WriteState& state) {
  const WriteState* pointer = &state;
  H5Pset_driver(list, driver_id(), &pointer);
}

}  // namespace masksc
