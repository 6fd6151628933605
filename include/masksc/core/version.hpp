// Version and commit of this build.
#pragma once

#include <string>

namespace masksc {

/// "0.1.0"
std::string version();
/// "0.1.0 (commit abcdef0)"; the commit is "unknown" outside a git checkout.
std::string version_and_commit();

}  // namespace masksc
