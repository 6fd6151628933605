// What a call says to its user.
#pragma once

#include <string>

#include "masksc/core/error.hpp"

namespace masksc {

/// The message of the UserError that `work` throws.
template <typename Work>
std::string message_of(Work work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace masksc
