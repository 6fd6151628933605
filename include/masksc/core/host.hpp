// The machine that this process runs on.
#pragma once

#include <string>

namespace masksc {

/// Its name, which errors, heartbeats and locks give.
std::string host_name();

}  // namespace masksc
