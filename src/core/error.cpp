#include "masksc/core/error.hpp"

#include <atomic>
#include <filesystem>
#include <new>
#include <system_error>

namespace masksc {
namespace {

std::atomic<KnownFailure> known_failures = nullptr;

}  // namespace

void know_failures(KnownFailure known) { known_failures = known; }

Failure describe_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::environment,
            "out of memory: use more ranks (each holds its share of the cells), a smaller --batch-size, or a machine "
            "with more memory"};
  } catch (const std::filesystem::filesystem_error& e) {
    return {ExitCode::environment, e.what()};  // no permission, a name that is too long, a disk that is gone
  } catch (const std::system_error& e) {       // so {fmt} tells that it can't write
    return {ExitCode::environment, e.what()};
  } catch (const std::exception& e) {
    const KnownFailure known = known_failures;
    return (known != nullptr ? known(e) : std::nullopt).value_or(Failure{ExitCode::invariant, e.what()});
  } catch (...) {
    return {ExitCode::invariant, "unknown exception"};
  }
}

void throw_failure(const Failure& failure) {
  switch (failure.code) {
    case ExitCode::user:
      throw UserError(failure.message);
    case ExitCode::environment:
      throw EnvironmentError(failure.message);
    default:
      throw InvariantError(failure.message);
  }
}

}  // namespace masksc
