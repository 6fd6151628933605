#include "masksc/model/threads.hpp"

#include <ATen/Parallel.h>

namespace masksc {

int compute_threads() { return at::get_num_threads(); }

void set_compute_threads(int threads) { at::set_num_threads(threads); }

OneThreadEach::OneThreadEach(bool wanted) : threads_(compute_threads()) {
  if (wanted) set_compute_threads(1);
}

OneThreadEach::~OneThreadEach() {
  if (compute_threads() != threads_) set_compute_threads(threads_);
}

}  // namespace masksc
