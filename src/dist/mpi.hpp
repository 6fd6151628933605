// MPI for the two files that see it: collectives over a communicator, and the runtime.
#pragma once

#include <mpi.h>

#include <memory>

#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Throws EnvironmentError that names `operation` unless `code` is success.
void check_mpi(int code, const char* operation);

/// Takes over the communicator.
std::unique_ptr<Collectives> mpi_collectives(MPI_Comm communicator);

}  // namespace masksc
