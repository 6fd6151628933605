// The three kinds of failure, and the exit codes that scripts and schedulers rely on.
#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

namespace masksc {

/// Exit codes of every program (README, "Exit codes").
enum class ExitCode : int {
  done = 0,
  user = 2,         // the user's input: options, files, labels
  environment = 3,  // I/O, memory, device, network
  invariant = 70,   // a broken invariant: a bug in mask-sc
  stopped = 75,     // stopped on request; start again to resume
};

/// Base of all errors thrown by mask-sc. The message says what, the value seen, where, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// The user can mend it: an option, a file's content, labels (exit code 2).
class UserError : public Error {
 public:
  explicit UserError(const std::string& message) : Error(ExitCode::user, message) {}
};

/// The surroundings failed: I/O, memory, device, network (exit code 3).
class EnvironmentError : public Error {
 public:
  explicit EnvironmentError(const std::string& message) : Error(ExitCode::environment, message) {}
};

/// mask-sc itself is wrong (exit code 70).
class InvariantError : public Error {
 public:
  explicit InvariantError(const std::string& message) : Error(ExitCode::invariant, message) {}
};

/// Throws InvariantError(message) unless `holds`. For conditions that only a bug can break.
inline void ensure(bool holds, const char* message) {
  if (!holds) throw InvariantError(std::string("broken invariant: ") + message);
}

/// A caught exception as (code, message): Error as it is, std::bad_alloc as environment, a library's own as that
/// library is known to mean it, all else as invariant.
struct Failure {
  ExitCode code = ExitCode::invariant;
  std::string message;
};
Failure describe_failure(const std::exception_ptr& error);

/// What is known of a library's own exceptions: nothing of those that are no more than bugs. From now on
/// describe_failure asks it; the room that owns the library says so before it uses it.
using KnownFailure = std::optional<Failure> (*)(const std::exception& error);
void know_failures(KnownFailure known);

/// Throws the Error subclass that belongs to `failure.code`.
[[noreturn]] void throw_failure(const Failure& failure);

}  // namespace masksc
