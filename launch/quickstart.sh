#!/usr/bin/env bash
# From nothing to clustered cells: set-up, build, 2000 simulated cells in 5 groups, a short training on 2 ranks.
#
#   launch/quickstart.sh [FOLDER]      (default results/quickstart)
#
# The data set stays in FOLDER/simulated.h5ad and the result in FOLDER/result/. Run again, it builds what changed and
# says that the run is finished.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:-} in
  --help | -h) help "$0"; exit 0 ;;
  -*) fail 2 "unknown option '$1' (see --help)" ;;
esac
[ $# -le 1 ] || fail 2 "one folder at most (see --help)"

"$MASKSC_LAUNCH/setup.sh"
folder=$(realpath -m -- "${1:-$MASKSC_ROOT/results/quickstart}")
mkdir -p "$folder"
cd "$MASKSC_ROOT"

say "building into build/release (some minutes the first time)"
build() { cmake --preset release && cmake --build --preset release --target masksc_train masksc_simulate; }
if ! build >"$folder/build.log" 2>&1; then
  tail -n 30 "$folder/build.log" >&2
  fail 3 "the build failed; all of its output is in $folder/build.log"
fi
programs=$MASKSC_ROOT/build/release/bin

if [ ! -e "$folder/simulated.h5ad" ]; then
  say "simulating cells"
  "$programs/masksc_simulate" --cells 2000 --genes 2000 --groups 5 --seed 0 --output "$folder/simulated.h5ad"
fi
say "training on 2 ranks"
"$MASKSC_LAUNCH/run.sh" 2 "$programs/masksc_train" --config configs/quickstart.ini \
  --input "$folder/simulated.h5ad" --labels group --output "$folder/result"
say "files:"
printf '%s\n' "$folder"/result/*
