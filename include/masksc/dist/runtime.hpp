// The process among its peers: starts and ends MPI, knows the node. `main` owns it; it outlives all collectives.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "masksc/dist/collectives.hpp"

namespace masksc {

class Runtime {
 public:
  /// Starts MPI. Throws EnvironmentError.
  Runtime(int& argc, char**& argv);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  [[nodiscard]] Collectives& world() { return *world_; }
  /// Rank among the ranks of this node, and their number.
  [[nodiscard]] int local_rank() const noexcept { return local_rank_; }
  [[nodiscard]] int local_size() const noexcept { return local_size_; }
  /// CPU cores this rank may use for itself: those it is bound to, shared with the ranks bound to the same ones.
  [[nodiscard]] int cores_per_rank() const noexcept { return cores_per_rank_; }

 private:
  std::unique_ptr<Collectives> world_;
  int local_rank_ = 0;
  int local_size_ = 1;
  int cores_per_rank_ = 1;
};

/// "Open MPI v4.1.4".
std::string mpi_version();

/// Whether a command line only asks for something to be printed, --help or the like; printed if `speaks`. Called again
/// where the program starts itself anew, so it reads no file: a pipe has its content once.
using Answer = std::function<bool(bool speaks)>;

/// Runs a whole program: starts the runtime, calls `body`, reports an error once and returns the exit code. Where no
/// launcher started the process, `answer` comes first, at once and without MPI. An error that only some ranks meet ends
/// every rank (MPI_Abort) after its message.
int run_program(int argc, char** argv, const Answer& answer, const std::function<ExitCode(Runtime&)>& body);

}  // namespace masksc
