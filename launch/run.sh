#!/usr/bin/env bash
# Starts a program of mask-sc on N ranks of this machine (or of this Slurm allocation) by mpirun.
#
#   launch/run.sh N PROGRAM [ARGUMENTS...]
#
# PROGRAM is a path, or a name that is looked up beside the installed scripts, in build/release/bin and on PATH:
#   launch/run.sh 4 masksc_train --config configs/pbmc_cpu.ini --input cells.h5ad --output out
#
# More ranks than cores are allowed. Each rank may stay on its memory node, never on a single core, since it runs
# threads. MPIRUN_OPTIONS adds words of your own, e.g. MPIRUN_OPTIONS="--hostfile nodes".
#
# mpirun kills its ranks on TERM, at once and whatever they do; USR1 it passes on. So TERM and USR1 sent to this script
# reach the ranks as USR1, and their exit code comes back. (Ctrl-C stops them at once.)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:---help} in --help | -h) help "$0"; exit 0 ;; esac
[[ $1 =~ ^[1-9][0-9]*$ ]] || fail 2 "the number of ranks must be a whole number above 0, not '$1' (see --help)"
[ $# -ge 2 ] || fail 2 "which program? (see --help)"
command -v mpirun >/dev/null || fail 3 "no mpirun on PATH: run launch/setup.sh, or load your MPI's module"

ranks=$1 program=$2
shift 2
if [[ $program != */* ]]; then
  for folder in "$MASKSC_ROOT/../../bin" "$MASKSC_ROOT/build/release/bin"; do
    if [ -x "$folder/$program" ]; then program=$folder/$program; fi
  done
fi
command -v "$program" >/dev/null || fail 2 "no program '$program': build it (launch/quickstart.sh does), or give its path"

mpi_options "$ranks"
read -r -a extra <<<"${MPIRUN_OPTIONS:-}"
mpirun "${MPI_OPTIONS[@]}" "${extra[@]}" "$program" "$@" &
job=$!
trap 'kill -USR1 "$job" 2>/dev/null' TERM USR1

# A trapped signal ends `wait` early with a code above 128: wait again for as long as mpirun is there.
code=0
while true; do
  wait "$job" && code=0 || code=$?
  kill -0 "$job" 2>/dev/null || break
done
exit "$code"
