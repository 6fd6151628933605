// The MPI ranks that a test program runs on. Every rank runs every test.
#pragma once

#include "masksc/dist/collectives.hpp"

namespace masksc {

Collectives& test_world();

}  // namespace masksc
