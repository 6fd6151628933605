// The file driver behind files being written. HDF5 can't close a file whose last writes fail: it keeps it open and
// crashes at exit. So this driver never fails once a file is open: the first failure is remembered for the caller, and
// from then on writes stay in memory, so that HDF5 finds what it wrote and closes in peace.
#pragma once

#include <hdf5.h>

#include <map>
#include <vector>

namespace masksc {

struct WriteState {
  int error = 0;                                        // errno of the first failure; 0: none
  std::map<haddr_t, std::vector<std::byte>> unwritten;  // what could not be written, by address
};

/// Makes files opened through the access list `list` report to `state`, which must outlive them.
void use_staging_driver(hid_t list, WriteState& state);

}  // namespace masksc
