#include "masksc/io/safetensors.hpp"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"

namespace masksc {

static_assert(std::endian::native == std::endian::little, "safetensors are little endian");

void write_safetensors(const std::filesystem::path& path, const std::vector<ArraySource>& arrays,
                       const std::map<std::string, std::string>& metadata) {
  Json header;
  header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const ArraySource& array : arrays) {
    header[array.name] = {
        {"dtype", "F32"}, {"shape", array.shape}, {"data_offsets", {offset, offset + array.values.size_bytes()}}};
    offset += array.values.size_bytes();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // values begin at a multiple of 8
  StagedFile staged(path);
  std::ofstream out(staged.path(), std::ios::binary);
  const std::uint64_t length = text.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const ArraySource& array : arrays)
    out.write(reinterpret_cast<const char*>(array.values.data()),
              static_cast<std::streamsize>(array.values.size_bytes()));
  out.close();
  if (!out)
    throw EnvironmentError(
        fmt::format("cannot write '{}': {}; is the disk full?", path.string(), std::strerror(errno)));
  staged.publish();
}

}  // namespace masksc
