// What the fuzz targets share: only the errors of users and surroundings may leave a parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What must hold of any input; libFuzzer keeps the input when it does not.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs `work`; true unless it refuses the input in a message fit to print.
template <typename Work>
bool accepts(const Work& work) {
  try {
    work();
    return true;
  } catch (const UserError& e) {
    require(printable(e.what()) == e.what());
    return false;
  }
}

}  // namespace masksc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
