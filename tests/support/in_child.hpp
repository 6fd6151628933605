// Work in a process of its own, which what it changes of signals and environment does not outlive.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>

namespace masksc {

/// Exit code of a process of its own that does `work` (what a signal changes stays there); 1 where work says no.
inline int in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    bool holds = false;
    try {
      holds = work();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    _exit(holds ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace masksc
