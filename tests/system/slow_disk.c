/* Loaded before the C library: once the file SLOW_DISK_WHEN is there, rank 1's next read of the prepared counts takes
   it away and lasts SLOW_DISK_SECONDS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_once(int file) {
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  const char* when = getenv("SLOW_DISK_WHEN");
  if (rank == NULL || when == NULL || strcmp(rank, "1") != 0 || access(when, F_OK) != 0) return;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = '\0';
  if (strstr(path, "prepared") != NULL && unlink(when) == 0) sleep((unsigned)atoi(getenv("SLOW_DISK_SECONDS")));
}

ssize_t pread(int file, void* bytes, size_t count, off_t offset) {
  ssize_t (*real)(int, void*, size_t, off_t) = (ssize_t(*)(int, void*, size_t, off_t))dlsym(RTLD_NEXT, "pread");
  wait_once(file);
  return real(file, bytes, count, offset);
}
