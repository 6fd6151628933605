#include "masksc/train/stop.hpp"

#include <unistd.h>

#include <csignal>

namespace masksc {
namespace {

volatile std::sig_atomic_t requested = 0;

void on_signal(int /*signal*/) {
  if (requested != 0) _exit(static_cast<int>(ExitCode::stopped));
  requested = 1;
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
}

bool stop_requested() noexcept { return requested != 0; }

}  // namespace masksc
