#!/usr/bin/env bash
# Installs what building and testing mask-sc needs; does nothing when all of it is there.
#
#   launch/setup.sh [--with-slurm] [--without-tests] [--help]
#
# --with-slurm installs Slurm and munge as well, for the tests labelled slurm, which start a cluster of their own.
# --without-tests leaves out the Debian packages that only the tests need.
#
# Debian packages are installed by apt-get when run as root; otherwise this says which ones to ask an administrator for.
# LibTorch, header-only C++ libraries and the Python readers of the tests go into a folder of their own under
# ${MASKSC_DEPS:-~/.cache/masksc} (4.6 GB; named after the hash of launch/requirements.txt, so that versions never mix).
#
# Yours are used where you have them:
#   LibTorch   set Torch_DIR to the folder of TorchConfig.cmake (no torch is downloaded then)
#   MPI, HDF5  have mpicc and h5pcc on PATH ('module load ...'): Debian's are not asked for. HDF5 must be parallel
#              and built with that MPI.
#   libraries  an active conda environment (launch/environment.yml makes one) is looked into as well
#   tools      cmake >= 3.25, ninja, g++ >= 12, git, ccache, clang-tidy on PATH
#
# Exit codes: 0 ready, 2 wrong option or setting, 3 something is missing that could not be installed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

with_slurm='' with_tests=yes
for option in "$@"; do
  case $option in
    --with-slurm) with_slurm=yes ;;
    --without-tests) with_tests='' ;;
    --help | -h) help "$0"; exit 0 ;;
    *) fail 2 "unknown option '$option' (see --help)" ;;
  esac
done

# shellcheck disable=SC2154
if own_torch && [ ! -f "$Torch_DIR/TorchConfig.cmake" ]; then
  fail 2 "Torch_DIR=$Torch_DIR has no TorchConfig.cmake; set it to .../share/cmake/Torch of a LibTorch, or unset it"
fi

# A command of the user's own: on PATH, and not where Debian puts its packages.
own_command() {
  local path
  path=$(command -v "$1") && [[ $(readlink -f "$path") != /usr/bin/* ]]
}

# A header of the user's own: in the conda environment that is active (launch/environment.yml).
own_header() { [ -n "${CONDA_PREFIX:-}" ] && [ -e "$CONDA_PREFIX/include/$1" ]; }

# The packages whose commands or libraries are not there, one a line.
missing_packages() {
  local wanted=() library
  for library in boost/program_options.hpp:libboost-program-options-dev spdlog/spdlog.h:libspdlog-dev \
    fmt/core.h:libfmt-dev nlohmann/json.hpp:nlohmann-json3-dev igraph/igraph.h:libigraph-dev xxhash.h:libxxhash-dev \
    zlib.h:zlib1g-dev ${with_tests:+gtest/gtest.h:libgtest-dev gmock/gmock.h:libgmock-dev}; do
    own_header "${library%%:*}" || wanted+=("${library##*:}")
  done
  if ! own_command mpicc; then wanted+=(libopenmpi-dev openmpi-bin); fi
  if ! own_command h5pcc; then wanted+=(libhdf5-openmpi-dev); fi
  # For figures as PDF and PNG: nobody is asked for it, masksc_report makes SVG without it.
  if [ "$(id -u)" = 0 ]; then wanted+=(librsvg2-dev pkg-config); fi
  # A browser for the test of report.html, readers of completions and manual pages for theirs: nobody is asked for them,
  # the tests say that they are skipped.
  if [ -n "$with_tests" ] && [ "$(id -u)" = 0 ]; then
    command -v chromedriver >/dev/null || wanted+=(chromium chromium-driver)
    wanted+=(zsh fish mandoc)
  fi
  if [ -n "$with_slurm" ]; then wanted+=(slurm-wlm munge); fi
  local tool
  for tool in cmake:cmake ninja:ninja-build g++:g++ git:git ${with_tests:+ccache:ccache clang-tidy:clang-tidy}; do
    command -v "${tool%%:*}" >/dev/null || echo "${tool##*:}"
  done
  if [ ! -e "$(python_environment)/complete" ] && ! find_python >/dev/null; then
    echo python3
    echo python3-venv
  fi
  local installed
  # dpkg-query fails when it does not know a package, which is the very case that matters.
  [ ${#wanted[@]} -gt 0 ] || return 0
  installed=$({ dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } |
    awk '/^.i/ {print $2}')
  printf '%s\n' "${wanted[@]}" | grep -vxF -f <(printf '%s\n' "${installed:-none}") || true
}

# Prints a Python that the pinned versions support and that can make environments.
find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
    then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# retry COMMAND...: three times, for networks that hiccup.
retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    say "attempt $attempt of 3 failed: $*"
    sleep $((attempt * 5))
  done
  return 1
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: provide MPI, parallel HDF5, Boost.Program_options, spdlog, fmt, nlohmann-json, igraph," \
      "xxhash, zlib and GoogleTest yourself (modules, launch/environment.yml, CMAKE_PREFIX_PATH); CMake says what it" \
      "does not find"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if own_command mpicc && [[ " ${missing[*]} " == *" libhdf5-openmpi-dev "* ]]; then
    fail 3 "mpicc is $(command -v mpicc), but no h5pcc (parallel HDF5) belongs to it. Debian's HDF5 would mix two MPIs: \
load a parallel HDF5 built with your MPI, or take your MPI off PATH"
  fi
  [ "$(id -u)" = 0 ] || fail 3 "these packages are missing; ask an administrator for: apt-get install ${missing[*]}, \
or take them from conda-forge: conda env create -f launch/environment.yml"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  retry apt-get -qq update >&2 || fail 3 "apt-get update failed; is there a network?"
  retry apt-get -qq -y install --no-install-recommends "${missing[@]}" >&2 ||
    fail 3 "apt-get could not install ${missing[*]}"
}

# Built under another name and moved at the end, so that an interrupted set-up is never taken for a complete one.
install_python() {
  local final python staging
  final=$(python_environment)
  [ ! -e "$final/complete" ] || [ ! -x "$final/bin/python" ] || return 0
  python=$(find_python) || fail 3 "no Python 3.11 to 3.14 with the venv module (Debian: python3-venv)"
  mkdir -p "$MASKSC_DEPS"
  exec 9>"$MASKSC_DEPS/lock"
  if command -v flock >/dev/null; then flock 9; fi
  [ ! -e "$final/complete" ] || [ ! -x "$final/bin/python" ] || return 0  # another set-up finished while we waited

  say "installing LibTorch and the readers of the tests into $final (some minutes)"
  staging=$MASKSC_DEPS/.staging-$(basename -- "$final")
  rm -rf "$staging" "$final"
  "$python" -m venv "$staging" || fail 3 "$python could not make an environment in $staging"
  if own_torch; then
    grep -v '^torch==' "$MASKSC_LAUNCH/requirements.txt"
  else
    cat "$MASKSC_LAUNCH/requirements.txt"
  fi >"$staging/requirements.txt"
  retry "$staging/bin/python" -m pip install --quiet --disable-pip-version-check --retries 5 --timeout 60 \
    -r "$staging/requirements.txt" >&2 || fail 3 "pip could not install $MASKSC_LAUNCH/requirements.txt (network? disk?)"
  # Scripts in an environment carry its path.
  grep -rlIF "$staging" "$staging/bin" | xargs -r sed -i "s|$staging|$final|g"
  touch "$staging/complete"
  mv "$staging" "$final"
}

install_packages
install_python
