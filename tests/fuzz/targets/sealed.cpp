// Manifests of sealed files (models, checkpoints), with the checksum of the text made right.
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "common.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/io/sealed_file.hpp"

namespace {

void append(std::string& text, std::uint64_t number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(256, 'x');
  const std::string manifest(masksc::fuzz::text_of(data, size));
  masksc::Hasher hasher;
  hasher.add(manifest);
  file += manifest;
  append(file, hasher.value());
  append(file, manifest.size());
  file += "MASKSC-S";
  const int memory = ::memfd_create("sealed", MFD_CLOEXEC);
  masksc::fuzz::require(memory >= 0 && ::write(memory, file.data(), file.size()) == static_cast<ssize_t>(file.size()));
  const std::string path = "/proc/self/fd/" + std::to_string(memory);
  masksc::fuzz::accepts([&] {
    const masksc::Seal seal = masksc::open_sealed(path, "");
    for (const masksc::SealedArray& array : seal.arrays) {
      masksc::fuzz::require(array.bytes <= 256);
      std::vector<float> values(static_cast<std::size_t>(array.bytes) / sizeof(float));
      masksc::read_array(seal, array, values);
    }
  });
  ::close(memory);
  return 0;
}
