#include "masksc/core/stop.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <limits>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::array<std::pair<std::string_view, int>, 11> known_signals = {{{"TERM", SIGTERM},
                                                                             {"INT", SIGINT},
                                                                             {"USR1", SIGUSR1},
                                                                             {"USR2", SIGUSR2},
                                                                             {"HUP", SIGHUP},
                                                                             {"QUIT", SIGQUIT},
                                                                             {"ALRM", SIGALRM},
                                                                             {"XCPU", SIGXCPU},
                                                                             {"URG", SIGURG},
                                                                             {"WINCH", SIGWINCH},
                                                                             {"PWR", SIGPWR}}};

// One request may take two ways: Slurm signals the ranks and the job script, whose signal the launcher passes on.
constexpr std::int64_t same_request = 1'000'000'000;  // nanoseconds

// A handler may touch nothing but lock-free atomics.
using PlainHandler = void (*)(int);
using InfoHandler = void (*)(int, siginfo_t*, void*);
std::atomic<std::int64_t> first_at{0};
std::atomic<int> first_signal{0};
std::atomic<bool> asked_by_peer{false};
std::atomic<std::int64_t> deadline_at{std::numeric_limits<std::int64_t>::max()};
std::atomic<double> grace_seconds{0};
std::array<std::atomic<PlainHandler>, NSIG> plain_before{};
std::array<std::atomic<InfoHandler>, NSIG> info_before{};
static_assert(decltype(first_at)::is_always_lock_free && std::atomic<InfoHandler>::is_always_lock_free);

std::int64_t monotonic_nanoseconds() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // one of the functions that a handler may call; what steady_clock reads
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  // A handler that a library put above this one calls it as the one before; so does this one, which it is above again.
  static thread_local volatile std::sig_atomic_t inside = 0;
  if (inside != 0) return;
  const int error = errno;
  const std::int64_t now = monotonic_nanoseconds();
  std::int64_t first = 0;
  if (first_at.compare_exchange_strong(first, now))
    first_signal = signal;
  else if (now - first > same_request)
    _exit(static_cast<int>(ExitCode::stopped));
  inside = 1;
  const auto index = static_cast<std::size_t>(signal);
  if (const PlainHandler before = plain_before[index]) before(signal);
  if (const InfoHandler before = info_before[index]) before(signal, info, context);
  inside = 0;
  errno = error;
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_signal;
}

void remember(int signal, const struct sigaction& action) {
  const auto index = static_cast<std::size_t>(signal);
  const bool with_info = (action.sa_flags & SA_SIGINFO) != 0;
  const bool is_function = with_info || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
  plain_before[index] = is_function && !with_info ? action.sa_handler : nullptr;
  info_before[index] = is_function && with_info ? action.sa_sigaction : nullptr;
}

int parse_signal(const std::string& list, std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper.rfind("SIG", 0) == 0) upper.erase(0, 3);
  for (const auto& [known, number] : known_signals)
    if (known == upper) return number;
  if (upper == "KILL" || upper == "STOP")
    throw UserError(fmt::format("--stop-signals {}: no process can catch {}; take TERM or USR1", list, upper));
  std::string names;
  for (const auto& [known, number] : known_signals) names += fmt::format("{}{}", names.empty() ? "" : ", ", known);
  throw UserError(fmt::format("--stop-signals {}: '{}' is not one of {}; or none", list, name, names));
}

}  // namespace

std::vector<int> parse_stop_signals(const std::string& list) {
  std::vector<int> signals;
  if (list == "none") return signals;
  for (const std::string_view name : split(list, ",")) {
    const int number = parse_signal(list, name);
    if (std::find(signals.begin(), signals.end(), number) == signals.end()) signals.push_back(number);
  }
  return signals;
}

void install_stop_signals(const std::vector<int>& signals) {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  for (const int signal : signals) sigaddset(&action.sa_mask, signal);  // they never interrupt each other's handler
  for (const int signal : signals) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) == 0 && !is_ours(before)) remember(signal, before);
    if (sigaction(signal, &action, nullptr) != 0)
      throw EnvironmentError(
          fmt::format("signal {} cannot be caught (error {}); leave it out of --stop-signals", signal, errno));
  }
}

void take_stop_signals_apart(const std::vector<int>& signals) {
  static std::once_flag once;
  std::call_once(once, [] {
    std::thread([] {
      sigset_t none{};
      sigemptyset(&none);
      pthread_sigmask(SIG_SETMASK, &none, nullptr);
      while (true) pause();
    }).detach();
  });
  sigset_t wanted{};
  sigemptyset(&wanted);
  for (const int signal : signals) sigaddset(&wanted, signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
}

void set_stop_deadline(std::chrono::steady_clock::time_point deadline, double grace) {
  deadline_at = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch()).count();
  grace_seconds = grace;
}

void request_stop() noexcept { asked_by_peer = true; }

bool stop_requested() noexcept { return first_signal != 0 || asked_by_peer || monotonic_nanoseconds() >= deadline_at; }

std::string stop_reason() {
  const int signal = first_signal;
  for (const auto& [name, number] : known_signals)
    if (number == signal) return fmt::format("signal {}", name);
  return monotonic_nanoseconds() >= deadline_at ? "time limit" : "another rank";
}

double stop_grace_seconds() noexcept { return grace_seconds; }

}  // namespace masksc
