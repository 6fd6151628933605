#!/usr/bin/env bash
# What checkpoints cost: the share of the training time that they hold up, at the default cadence and when every epoch
# is saved, in the foreground and in the background; the same weights every time.
#
#   benchmarks/checkpoint.sh BUILD [DATA] [EPOCHS] > benchmarks/results/checkpoint.md
#
# DATA defaults to ../shared/data/10X_PBMC_top2000.h5 with configs/pbmc_cpu.ini on 2 ranks. Needs nothing else.
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
data=$(realpath "${2:-$root/../shared/data/10X_PBMC_top2000.h5}")
epochs=${3:-12}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

train() {
  local name=$1
  shift
  mpirun -np 2 --oversubscribe --bind-to none "$build/bin/masksc_train" --config "$root/configs/pbmc_cpu.ini" \
    --input "$data" --labels Y --clusters 8 --epochs "$epochs" --threads 1 --quiet --output "$work/$name" "$@" >"$work/out"
}

report() {
  python3 - "$work/$1" "$2" <<'PY'
import json, pathlib, statistics, sys
folder, title = pathlib.Path(sys.argv[1]), sys.argv[2]
lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
saves = [line for line in lines if line.get("event") == "checkpoint" and line["stage"] == "train"]
seconds = json.loads((folder / "metrics.json").read_text())["seconds"]["train"]
stall = sum(line["seconds"] for line in saves)
print("| %s | %d | %.1f | %.0f | %.0f | %.2f %% | %.1f | %s |" % (
    title, len(saves), saves[-1]["bytes"] / 2**20, 1000 * statistics.median(line["seconds"] for line in saves),
    1000 * statistics.median(line["write_seconds"] for line in saves), 100 * stall / seconds, seconds,
    json.loads((folder / "metrics.json").read_text())["weights_hash"]))
PY
}

echo "Command: \`benchmarks/checkpoint.sh $*\`, $(date -u +%F), $(nproc --all) cores ($(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | xargs)), commit $(git -C "$root" describe --always --dirty); $(basename "$data"), pbmc_cpu.ini, $epochs epochs, 2 ranks, seed 0, one run each."
echo
echo "| cadence | saves | MiB | stall, ms (median) | write, ms | share of training | training, s | weights |"
echo "|---|---|---|---|---|---|---|---|"
train default && report default "default"
train async --async-checkpoint && report async "default, --async-checkpoint"
train each --checkpoint-every-steps 10 && report each "every 10 steps"
train eachasync --checkpoint-every-steps 10 --async-checkpoint && report eachasync "every 10 steps, --async-checkpoint"
