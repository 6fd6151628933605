#include "masksc/core/version.hpp"

#include "masksc_commit.h"  // generated at build time: MASKSC_COMMIT

namespace masksc {

std::string version() { return MASKSC_VERSION; }
std::string version_and_commit() { return version() + " (commit " + MASKSC_COMMIT + ")"; }

}  // namespace masksc
