#!/usr/bin/env bash
# What --deterministic costs: 10x PBMC with configs/pbmc_cpu.ini, a few epochs, with and without it in turn, on one rank
# of two threads and on two ranks of one. Prints a table of medians.
#
#   benchmarks/deterministic.sh BUILD DATA [EPOCHS] [ROUNDS]      DATA: 10X_PBMC_top2000.h5
set -euo pipefail
build=$(cd "$1" && pwd)
data=$(realpath "$2")
epochs=${3:-3}
rounds=${4:-3}
here=$(cd "$(dirname "$0")/.." && pwd)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for round in $(seq "$rounds"); do
  for places in "1 2" "2 1"; do
    read -r ranks threads <<<"$places"
    for mode in plain deterministic; do
      switch=$([ $mode = plain ] || echo --deterministic)
      # shellcheck disable=SC2086  # no switch is no argument
      OMP_NUM_THREADS=$threads mpirun -np "$ranks" --oversubscribe --bind-to none "$build/bin/masksc_train" \
        --config "$here/configs/pbmc_cpu.ini" --input "$data" --labels Y --clusters 8 --output "$work/run" --overwrite \
        --quiet --report no --threads "$threads" --sequence-epochs "$epochs" --epochs "$epochs" $switch >"$work/output" 2>&1 ||
        { cat "$work/output" >&2; exit 1; }
      cp "$work/run/metrics.json" "$work/$ranks-$mode-$round.json"
    done
  done
done

echo "Command: \`benchmarks/deterministic.sh $*\`, $(date -u +%F), $(nproc --all) cores ($(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | xargs)), commit $(git -C "$here" describe --always --dirty); 10x PBMC, $epochs epochs of each stage, medians of $rounds, alternating."
echo
python3 - "$work" <<'PY'
import glob, json, statistics, sys

def median(ranks, mode, value):
    return statistics.median(value(json.load(open(p))) for p in glob.glob(f"{sys.argv[1]}/{ranks}-{mode}-*.json"))

print("| | stage 1, s | stage 2, cells/s | embedding, s | peak memory of a rank, MiB |\n|---|---|---|---|---|")
for ranks, place in ((1, "1 rank x 2 threads"), (2, "2 ranks x 1 thread")):
    for mode in ("plain", "deterministic"):
        print("| %s%s | %.2f | %.0f | %.2f | %.0f |" % (
            place, ", `--deterministic`" if mode != "plain" else "",
            median(ranks, mode, lambda m: m["seconds"]["sequence"]), median(ranks, mode, lambda m: m["cells_per_second"]),
            median(ranks, mode, lambda m: m["seconds"]["embed"]),
            median(ranks, mode, lambda m: max(m["peak_memory_bytes"]) / 2**20)))
PY
