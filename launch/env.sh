# What all scripts in launch/ share: where things are, how messages look, how MPI is started. Sourced, never run.
# shellcheck shell=bash disable=SC2034

MASKSC_LAUNCH=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
MASKSC_ROOT=$(dirname -- "$MASKSC_LAUNCH")
# The cache that CMake looks into as well (cmake/MaskscDependencies.cmake).
export MASKSC_DEPS=${MASKSC_DEPS:-$HOME/.cache/masksc}

# Open MPI refuses to run as root unless told twice; containers run as root.
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# Within a bundle (launch/bundle.sh): its own Open MPI.
if [ -f "$MASKSC_ROOT/../../libexec/environment" ]; then
  bundle=$(cd -- "$MASKSC_ROOT/../.." && pwd)
  # shellcheck source=/dev/null
  . "$bundle/libexec/environment"
fi

say() { printf '==> %s\n' "$*" >&2; }

# fail CODE MESSAGE: 2 is the user's input, 3 the environment, as in the programs.
fail() {
  printf '%s: %s\n' "$(basename -- "$0")" "$2" >&2
  exit "$1"
}

# help FILE: the comment at the head of a script is its help.
help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"; }

cores() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN; }

# The LibTorch that the user brings, if any.
own_torch() { [ -n "${Torch_DIR:-}" ]; }

# The Python environment: keyed by the pins, and by whether it holds a LibTorch.
python_environment() {
  local hash
  hash=$(sha256sum "$MASKSC_LAUNCH/requirements.txt")
  if own_torch; then
    echo "$MASKSC_DEPS/light-${hash:0:12}"
  else
    echo "$MASKSC_DEPS/python-${hash:0:12}"
  fi
}

# keepalive: lets Open MPI notice within 15 seconds that a host is gone or cut off; by itself that takes it 8 minutes. What
# the user has set, by environment, file or MPIRUN_OPTIONS, stays.
keepalive() {
  local name value own
  own=$(ompi_info --parsable --param oob tcp --level 9 2>/dev/null) || return 0
  for name in time=5 intvl=2 probes=5; do
    value=${name#*=} name=oob_tcp_keepalive_${name%=*}
    if [[ $own == *":$name:source:default"* ]]; then export "OMPI_MCA_$name=$value"; fi
  done
}

# mpi_options RANKS: sets MPI_OPTIONS. No rank is tied to one core, since each runs threads; on a machine with several
# memory nodes a rank stays on one of them.
mpi_options() {
  MPI_OPTIONS=(-np "$1")
  mpirun --version 2>/dev/null | grep -q 'Open MPI' || return 0
  keepalive
  local nodes
  nodes=$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l)
  if [ "$1" -gt "$(cores)" ]; then
    MPI_OPTIONS+=(--oversubscribe --bind-to none)
  elif [ "$nodes" -gt 1 ] && [ "$1" -ge "$nodes" ]; then
    MPI_OPTIONS+=(--map-by numa --bind-to numa)
  else
    MPI_OPTIONS+=(--bind-to none)
  fi
}

# find_program NAME: prints the path of a program of mask-sc, in the build folder (MASKSC_BUILD where that is not
# build/release), beside the installed scripts or on PATH; a path stays as it is.
find_program() {
  local folder
  if [[ $1 != */* ]]; then
    for folder in "${MASKSC_BUILD:-$MASKSC_ROOT/build/release}/bin" "$MASKSC_ROOT/../../bin"; do
      if [ -x "$folder/$1" ]; then echo "$folder/$1"; return 0; fi
    done
  fi
  command -v "$1"
}

# wait_for PID: waits for a child to end and returns its exit code. A trapped signal ends `wait` early with a code above
# 128, and waiting again returns the child's own: so traps have to set interrupted=yes.
wait_for() {
  local code
  while true; do
    interrupted=
    wait "$1" && code=0 || code=$?
    [ -n "$interrupted" ] || return "$code"
  done
}
