#!/usr/bin/env bash
# The proof that nothing is lost: everything that is too long for launch/test.sh, and a table of what came out.
#
#   launch/proof.sh [CTEST OPTIONS]
#
# Kills at 30 moments, changing numbers of ranks, memory over 2000 steps (label kills), a real Slurm on this machine
# (slurm; launch/setup.sh --with-slurm installs it), two hosts as network namespaces (netns), a thousand mutated files
# and coverage-guided fuzzing (fuzz), damaged checkpoints and full disks, ranks that fail or stop. About an hour on two
# cores; slurm and netns need root. One part: launch/proof.sh -L kills. What checkpoints cost is measured by
# benchmarks/checkpoint.sh.
#
# Exit codes: 0 all passed, 2 wrong setting, 3 something is missing that could not be installed, others from ctest.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:-} in --help | -h) help "$0"; exit 0 ;; esac

"$MASKSC_LAUNCH/setup.sh"
cd "$MASKSC_ROOT"
cmake --preset release >&2
cmake --build --preset release >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ $# = 0 ]; then set -- -L 'kills|slurm|netns|fuzz'; fi
code=0
{
  ctest --preset release -R '^io\.(CheckpointFolder|SealedFile)|^system\.failure$' || exit $?
  ctest --preset release -V "$@"
} | tee "$log" || code=$?

# Tests print their figures as "FIGURE what | result"; ctest puts its number before.
printf '\n| proof | result |\n|---|---|\n'
sed -n 's/^.*FIGURE \(.*\)$/| \1 |/p' "$log"
sed -n 's/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) \.*\([* ]*[A-Za-z ]*\) *\([0-9.]* sec\)$/| \1 | \2 in \3 |/p' "$log" |
  grep -E 'system\.|fuzz' || true
exit "$code"
