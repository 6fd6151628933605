// The runtime of a process: starts and ends MPI, and the program's life among its peers.
#include "masksc/dist/runtime.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "masksc/core/log.hpp"
#include "masksc/core/memory.hpp"
#include "mpi.hpp"

namespace masksc {
namespace {

/// Cores this process is bound to, divided by the processes of the node that are bound to the same ones.
int count_cores(MPI_Comm node, int local_size) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof(mine), &mine) != 0) return 1;
  std::vector<cpu_set_t> all(static_cast<std::size_t>(local_size));
  check_mpi(MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all.data(), sizeof(mine), MPI_BYTE, node), "all-gather");
  const auto sharing =
      std::count_if(all.begin(), all.end(), [&](const cpu_set_t& other) { return CPU_EQUAL(&mine, &other) != 0; });
  return std::max(1, CPU_COUNT(&mine) / static_cast<int>(sharing));
}

/// True when every rank arrives within `patience`; on its own communicator, so that a peer inside another collective
/// isn't confused by it.
bool all_arrive(MPI_Comm comm, std::chrono::seconds patience) {
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Ibarrier(comm, &request) != MPI_SUCCESS) return false;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return done != 0;
}

/// Threads of libgomp spin for milliseconds where they wait for each other: two runs at once on the same two cores took
/// 60 s, where one takes 11 s. With the spin count that it has itself for more threads than cores they take 15 s, and
/// one 2 % more. It reads the environment once, when it is loaded, so the program starts itself anew.
void spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::setenv("GOMP_SPINCOUNT", "1000", 0) != 0) return;
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (!error) ::execv(program.c_str(), argv);  // where that fails all goes on as it was
}

/// Whether mpirun, srun or another launcher started this process, which has peers then.
bool launched() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"})
    if (std::getenv(name) != nullptr) return true;
  return false;
}

ExitCode finished(ExitCode code) {
  if (std::fflush(stdout) != 0)
    throw EnvironmentError(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  return code;
}

/// The part of a program that has peers; returns its exit code.
int run_among_peers(int& argc, char**& argv, const std::function<ExitCode(Runtime&)>& body) {
  Runtime runtime(argc, argv);
  const int rank = runtime.world().rank();
  log::configure(rank);
  try {
    return static_cast<int>(finished(body(runtime)));
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    const int code = static_cast<int>(failure.code);
    const bool shared = all_arrive(MPI_COMM_WORLD, std::chrono::seconds(3));
    const log::Level level = failure.code == ExitCode::stopped ? log::Level::warning : log::Level::error;
    if (!shared || rank == 0) log::write(level, failure.message);
    if (!shared) MPI_Abort(MPI_COMM_WORLD, code);
    // All leave with a code of their own; srun --kill-on-bad-exit sends TERM at the first, and would return 143 for it.
    std::signal(SIGTERM, SIG_IGN);
    return code;
  }
}

}  // namespace

Runtime::Runtime(int& argc, char**& argv) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "start");
  if (provided < MPI_THREAD_SERIALIZED)
    throw EnvironmentError("this MPI lets only one thread of a process call it; give one built with thread support");
  MPI_Comm comm = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "communicator");
  world_ = mpi_collectives(comm);
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, world_->rank(), MPI_INFO_NULL, &node),
            "communicator");
  MPI_Comm_rank(node, &local_rank_);
  MPI_Comm_size(node, &local_size_);
  cores_per_rank_ = count_cores(node, local_size_);
  MPI_Comm_free(&node);
}

Runtime::~Runtime() {
  world_.reset();
  MPI_Finalize();
}

int run_program(int argc, char** argv, const Answer& answer, const std::function<ExitCode(Runtime&)>& body) {
  // Ranks that wait in OpenMPI leave their core to others: small collectives beside other work took 4 times as long.
  ::setenv("OMPI_MCA_mpi_yield_when_idle", "1", /*overwrite=*/0);
  ::umask(::umask(S_IRWXG | S_IRWXO) | S_IRWXG | S_IRWXO);  // data of patients: files for their owner alone
  try {
    const bool alone = !launched();
    if (alone && answer(/*speaks=*/true)) return static_cast<int>(finished(ExitCode::done));
    // Else OpenMPI starts a daemon for peers to come, which costs a tenth of a second and needs a network interface.
    if (alone) ::setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
    spin_briefly(argv);
    keep_freed_memory();
    return run_among_peers(argc, argv, [&](Runtime& runtime) {
      return !alone && answer(runtime.world().is_root()) ? ExitCode::done : body(runtime);
    });
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    log::error("{}", failure.message);
    return static_cast<int>(failure.code);
  }
}

}  // namespace masksc
