#!/usr/bin/env bash
# Feeds the parsers of mask-sc with inputs that libFuzzer makes up, under address and undefined-behaviour sanitizers.
#
#   launch/fuzz.sh [SECONDS [TARGET...]]         builds, then runs each target (all by default) for SECONDS (60)
#   launch/fuzz.sh --build                       builds only
#   launch/fuzz.sh --run SECONDS [TARGET...]     runs what was built
#
# Targets are the files of tests/fuzz/targets. Builds into build/fuzz with clang; seeds are made on the spot. An input
# that crashes a target is left in build/fuzz/found/, and is the one argument to give the target again.
#
# Exit codes: 0 nothing found, 1 something was found, 2 wrong setting, 77 there is no clang with libFuzzer.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:-} in --help | -h) help "$0"; exit 0 ;; esac

cd "$MASKSC_ROOT"
python=$(python_environment)/bin/python

check_clang() {
  local source=$1/probe.cpp
  echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' > "$source"
  clang++ -fsanitize=fuzzer,address "$source" -o "$1/probe" 2> /dev/null && return 0
  say "skipped: no clang++ with libFuzzer here (Debian: clang and libclang-rt-14-dev)"
  exit 77
}

build() {
  cmake --preset fuzz > /dev/null
  cmake --build --preset fuzz
  rm -rf build/fuzz/seeds
  PYTHONDONTWRITEBYTECODE=1 "$python" tests/fuzz/seeds.py build/fuzz/seeds
}

# run SECONDS TARGET: stops at the first finding.
run() {
  local program=build/fuzz/bin/fuzz_$2 corpus=build/fuzz/corpus/$2 found=build/fuzz/found/$2-
  [ -x "$program" ] || fail 2 "there is no target $2: launch/fuzz.sh --build, and see tests/fuzz/targets"
  mkdir -p "$corpus" build/fuzz/found
  say "$2: $1 s"
  "$program" "$corpus" "build/fuzz/seeds/$2" -max_total_time="$1" -max_len=4096 -timeout=10 -rss_limit_mb=3000 \
    -artifact_prefix="$found" -print_final_stats=1 2>&1 | tail -n 40
}

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
check_clang "$scratch"
mode=all
case ${1:-} in
  --build) mode=build ;;
  --run) mode=run; shift ;;
  --*) fail 2 "unknown option $1 (see --help)" ;;
esac
if [ "$mode" != run ]; then build; fi
if [ "$mode" = build ]; then exit 0; fi
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail 2 "SECONDS must be a whole number, not '$seconds'"
shift || true
if [ $# = 0 ]; then
  for file in tests/fuzz/targets/*.cpp; do set -- "$@" "$(basename "$file" .cpp)"; done
fi
failed=()
for target in "$@"; do run "$seconds" "$target" || failed+=("$target"); done
if [ ${#failed[@]} -gt 0 ]; then
  say "found something in: ${failed[*]} (build/fuzz/found)"
  exit 1
fi
