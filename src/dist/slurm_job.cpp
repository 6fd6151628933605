// Asks Slurm when this job ends: its environment, else squeue, started without a shell and given up after some seconds.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/dist/time_limit.hpp"

namespace masksc {
namespace {

constexpr std::chrono::seconds patience{20};  // squeue tries for longer when its controller does not answer

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// This process's environment, with times in the one form that parse_end() reads.
std::vector<std::string> environment_for_squeue() {
  std::vector<std::string> variables = {"SLURM_TIME_FORMAT=standard"};
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::strncmp(*entry, "SLURM_TIME_FORMAT=", 18) != 0) variables.emplace_back(*entry);
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Standard output of a program of PATH, empty when it cannot be started, fails, or takes too long.
std::string output_of(std::vector<std::string> command) {
  std::optional<Pipe> pipe = make_pipe();
  if (!pipe) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe->writing.number(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<std::string> variables = environment_for_squeue();
  pid_t child = -1;
  const int error = posix_spawnp(&child, command.front().c_str(), &actions, nullptr, pointers_to(command).data(),
                                 pointers_to(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  pipe->writing.close();
  std::string text;
  if (error == 0) {
    text = read_to_end(pipe->reading, patience);
    if (text.empty()) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) text.clear();
  }
  return text;
}

/// Of "2026-11-24T14:03:20" in local time; nothing for NONE, N/A and the like.
std::optional<std::int64_t> parse_end(const std::string& text) {
  std::tm local{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &local);
  if (end == nullptr || *end != '\0') return std::nullopt;
  local.tm_isdst = -1;
  return static_cast<std::int64_t>(std::mktime(&local));
}

}  // namespace

std::optional<std::int64_t> slurm_job_end() {
  const std::string job = variable("SLURM_JOB_ID");
  if (job.empty()) return std::nullopt;
  const std::string end = variable("SLURM_JOB_END_TIME");
  if (all_digits(end)) return number_of<std::int64_t>(end);
  if (!all_digits(job)) {
    log::debug("SLURM_JOB_ID '{}' is not a number: no time limit", job);
    return std::nullopt;
  }
  // For an array's last task -j names the whole array: ask for all, one a line, and take the line of this job.
  std::istringstream lines(output_of({"squeue", "--noheader", "--array", "--jobs=" + job, "--format=%A %e"}));
  std::string id;
  std::string when;
  while (lines >> id >> when)
    if (id == job)
      if (const std::optional<std::int64_t> found = parse_end(when)) return found;
  log::debug("squeue tells no end of job {}: no time limit", job);
  return std::nullopt;
}

}  // namespace masksc
