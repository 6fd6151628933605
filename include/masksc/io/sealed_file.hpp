// Files whose every byte is checked before it is believed: arrays of float32 in HDF5, with a seal behind it.
//
// A sealed file is an ordinary HDF5 file (h5py and h5ls read it) to which a manifest is appended, behind what HDF5
// looks at: a header that says what the file is, the arrays with their places and checksums, and the checksum of all
// other bytes (XXH3). So damage is found without HDF5 ever seeing it, and arrays are read at their places.
//
// All ranks write at once: rank 0 lays the file out with HDF5, then each rank puts its own arrays at their places and
// flushes them. That needs no MPI-IO, survives a full disk, and can go on in a thread of its own while training does.
//
// The end of the file: manifest (JSON text), its XXH3, its length (both 8 bytes, little endian), "MASKSC-S".
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// The number that says how sealed files are laid out; files with a higher one are refused.
constexpr std::int64_t sealed_format = 3;

/// The bytes are not those that were written, or not all of them.
class DamagedFile : public UserError {
 public:
  using UserError::UserError;
};

/// An array to be written; names are paths ("weights/blocks.0.weight").
struct ArraySource {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;       // row-major
  std::shared_ptr<const void> keeper;  // keeps `values` alive
};

/// An array of a sealed file.
struct SealedArray {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0;  // byte of the file at which its float32 values begin
  std::int64_t bytes = 0;
  std::string hash;
};

/// What the manifest of a file says.
struct Seal {
  std::filesystem::path path;
  Json header;  // "kind", "version" (of mask-sc), and what belongs to the kind
  std::vector<SealedArray> arrays;
  std::int64_t file_bytes = 0;

  /// Null when there is none of that name.
  [[nodiscard]] const SealedArray* find(const std::string& name) const;
};

/// Checks every byte of `path`. Throws DamagedFile, UserError when it can't be read, is of a newer format, or is not of
/// this `kind` ("" admits all).
Seal open_sealed(const std::filesystem::path& path, const std::string& kind);

/// As open_sealed, but only the manifest is checked, not the arrays: fast, whatever the size.
Seal open_manifest(const std::filesystem::path& path, const std::string& kind);

/// Reads elements [first, first + values.size()) of an array. Throws DamagedFile when it is too short.
void read_array(const Seal& seal, const SealedArray& array, std::span<float> values, std::int64_t first = 0);

/// Reads the array `name`, whose shape must be `shape`. Throws UserError that names file, array and both shapes.
void read_array(const Seal& seal, const std::string& name, const std::vector<std::int64_t>& shape,
                std::span<float> values);

/// A sealed file being written by all ranks; it appears under its name whole or not at all.
class SealedWrite {
 public:
  /// Lays the file out and starts to write: in a thread of its own if `background`. `header` is rank 0's; `arrays` are
  /// this rank's. A collective. Throws EnvironmentError on all ranks.
  SealedWrite(std::filesystem::path path, std::string kind, Json header, std::vector<ArraySource> arrays,
              Collectives& ranks, bool background = false);
  /// Unless finished, nothing is left.
  ~SealedWrite();
  SealedWrite(const SealedWrite&) = delete;
  SealedWrite& operator=(const SealedWrite&) = delete;

  /// Whether this rank's arrays are on disk (or failed to get there). Not a collective.
  [[nodiscard]] bool written() const noexcept { return written_; }
  /// Waits for all ranks' arrays, then gives the file its name. A collective. Throws EnvironmentError on all ranks; an
  /// older file of that name stays as it was.
  void finish();

  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }
  /// Seconds that this rank's arrays took to the disk; known once written.
  [[nodiscard]] double seconds() const noexcept { return seconds_; }

 private:
  void write_own() noexcept;

  std::filesystem::path path_;
  std::filesystem::path staged_;
  Collectives& ranks_;
  std::optional<StagedFile> file_;  // on rank 0
  std::vector<ArraySource> arrays_;
  std::vector<std::int64_t> offsets_;
  std::int64_t bytes_ = 0;
  double seconds_ = 0;
  std::exception_ptr error_;
  std::atomic<bool> written_{false};
  std::jthread thread_;
};

/// Writes a sealed file from this process alone. Throws EnvironmentError.
void write_sealed(const std::filesystem::path& path, const std::string& kind, Json header,
                  std::vector<ArraySource> arrays);

}  // namespace masksc
