// Independent pieces of work on a few threads of our own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace masksc {

/// Calls work(item, thread) for items [0, count), each once, on up to `threads` threads; this one is thread 0. Which
/// thread takes an item is chance: what comes out must not depend on it. Rethrows the first thread's error, after the
/// others have ended.
template <typename Work>
void on_threads(int threads, std::int64_t count, const Work& work) {
  const int used = static_cast<int>(std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(count, 1)));
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(used));
  std::atomic<std::int64_t> next = 0;
  const auto run = [&](int thread) {
    try {
      for (std::int64_t item = next++; item < count; item = next++) work(item, thread);
    } catch (...) {
      errors[static_cast<std::size_t>(thread)] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int thread = 1; thread < used; ++thread) others.emplace_back(run, thread);
    run(0);
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace masksc
