#include "masksc/core/apart.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/error.hpp"

namespace masksc {
namespace {

std::chrono::seconds patience{60};
bool apart = false;  // in a process of run_apart

/// The first byte of an answer is the exit code of its error, done being none; the last one says that it is whole.
constexpr char whole = '.';

void send(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(file, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

/// The child: never returns, runs no destructor and no exit handler of the parent's.
[[noreturn]] void answer(int file, pid_t parent, const std::function<std::string()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // who would read the answer?
  if (::getppid() != parent) ::_exit(1);
  // A crash is reported by the parent, not by the handlers that MPI has set, and leaves no core.
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGXCPU}) std::signal(signal, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t no_signal{};
  sigemptyset(&no_signal);
  pthread_sigmask(SIG_SETMASK, &no_signal, nullptr);  // the limits of this process act by signals
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  apart = true;
  still_working();
  std::string text;
  try {
    text = std::string(1, static_cast<char>(ExitCode::done)) + work();
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    text = std::string(1, static_cast<char>(failure.code)) + failure.message;
  }
  send(file, text + whole);
  ::_exit(0);
}

/// The signal that ended the child; 0 when there was none or it can't be told (the program ignores SIGCHLD).
int signal_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 0;
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

[[noreturn]] void no_answer(const std::string& subject, int signal) {
  if (signal == SIGKILL)
    throw EnvironmentError(fmt::format(
        "the process that read {} was killed, probably because memory ran out; give the job more memory", subject));
  if (signal == SIGXCPU)
    throw UserError(
        fmt::format("{} gets the library that reads it stuck (nothing in {} s); the file is damaged: copy "
                    "or write it again",
                    subject, patience.count()));
  throw UserError(fmt::format("{} crashes the library that reads it{}; the file is damaged: copy or write it again",
                              subject, signal > 0 ? fmt::format(" ({})", ::strsignal(signal)) : std::string()));
}

}  // namespace

std::string run_apart(const std::string& subject, const std::function<std::string()>& work) {
  if (apart) return work();
  std::optional<Pipe> pipe = make_pipe();
  if (!pipe) throw EnvironmentError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw EnvironmentError(fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) answer(pipe->writing.number(), parent, work);
  pipe->writing.close();
  const std::string text = read_to_end(pipe->reading);
  const int signal = signal_of(child);
  if (text.size() < 2 || text.back() != whole) no_answer(subject, signal);
  const auto code = static_cast<ExitCode>(text.front());
  std::string rest = text.substr(1, text.size() - 2);
  if (code != ExitCode::done) throw_failure({code, std::move(rest)});
  return rest;
}

void still_working() {
  if (!apart) return;
  rusage used{};
  rlimit limit{};
  if (::getrusage(RUSAGE_SELF, &used) != 0 || ::getrlimit(RLIMIT_CPU, &limit) != 0) return;
  const auto until = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1 + patience.count());
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? until : std::min(until, limit.rlim_max);
  ::setrlimit(RLIMIT_CPU, &limit);
}

void set_patience(std::chrono::seconds wanted) { patience = wanted; }

}  // namespace masksc
