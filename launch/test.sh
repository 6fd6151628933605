#!/usr/bin/env bash
# Sets the machine up, builds everything and runs all tests; what CI runs.
#
#   launch/test.sh [CTEST OPTIONS]
#
# Without options: everything but the tests labelled slow, slurm, netns, fuzz and gpu. Some others:
#   launch/test.sh -L unit             the unit tests
#   launch/test.sh -L system           the programs as a user runs them
#   launch/test.sh -L 'lint|sanitizer' clang-format, clang-tidy, unit tests under address and undefined sanitizers
#   launch/test.sh -L netns            a cut cable and a dead host, between network namespaces; needs root and ip
#   launch/test.sh -L slow             the figures of the README, kills, fuzzing, clang-tidy of all files, the other half of
#                                      the sanitizers, and races between threads
# MASKSC_BASE=COMMIT makes clang-tidy look only at the files that changed since then.
#
# Exit codes: 0 all passed, 2 wrong setting, 3 something is missing that could not be installed, others from CMake, ctest.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:-} in --help | -h) help "$0"; exit 0 ;; esac

"$MASKSC_LAUNCH/setup.sh"
cd "$MASKSC_ROOT"
cmake --preset release >&2
cmake --build --preset release >&2
if [ $# = 0 ]; then set -- -LE 'slow|slurm|netns|fuzz|gpu'; fi
ctest --preset release -j "$(cores)" "$@"
