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
# mpirun itself kills its ranks on TERM and Ctrl-C, whatever they do. Under this script Ctrl-C, TERM, HUP, USR1 and USR2
# reach the ranks as USR1: masksc_train then saves, and ends with 75. A second one, over a second later, ends it at
# once; a third has mpirun kill what is left.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:---help} in --help | -h) help "$0"; exit 0 ;; esac
[[ $1 =~ ^[1-9][0-9]*$ ]] || fail 2 "the number of ranks must be a whole number above 0, not '$1' (see --help)"
[ $# -ge 2 ] || fail 2 "which program? (see --help)"
command -v mpirun >/dev/null || fail 3 "no mpirun on PATH: run launch/setup.sh, or load your MPI's module"

ranks=$1
program=$(find_program "$2") || fail 2 "no program '$2': build it (launch/quickstart.sh does), or give its path"
shift 2

mpi_options "$ranks"
read -r -a extra <<<"${MPIRUN_OPTIONS:-}"

# A rank's standard error is a pipe to mpirun: it is told when a terminal is at the other end, and how wide.
unset MASKSC_TERMINAL
if [ -t 2 ]; then
  columns=$(stty size <&2 2>/dev/null) || columns=
  columns=${columns##* }
  export MASKSC_TERMINAL=$((${columns:-0} > 0 ? columns : 80))
fi

asked=0 first=0 job=
pass_on() {
  interrupted=yes
  asked=$((asked + 1))
  if [ "$asked" = 1 ]; then
    first=$SECONDS
    say "stopping after a checkpoint; once more to stop at once" || true
  fi
  # One request may come twice at once: never kill in its first seconds.
  if [ "$asked" -gt 2 ] && [ $((SECONDS - first)) -gt 2 ]; then kill -INT "$job"; else kill -USR1 "$job"; fi || true
}
trap pass_on INT TERM HUP USR1 USR2

# Slurm sends TERM to every process of a job and a terminal sends INT to every process of a group, so mpirun gets a
# group of its own, and leaves TERM lying where env knows how to.
guard=()
if env --block-signal=TERM true 2>/dev/null; then guard=(env --block-signal=TERM); fi
set -m
"${guard[@]}" mpirun "${MPI_OPTIONS[@]}" "${extra[@]}" "$program" "$@" </dev/null &
job=$!
set +m
if [ "$asked" -gt 0 ]; then kill -USR1 "$job"; fi
wait_for "$job"
