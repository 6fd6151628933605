#!/usr/bin/env bash
# The whole way of an atlas on this machine, in bounded memory: simulated counts, prepared file, one epoch of a small
# model, features, clusters, maps, result and page; then K-means and Leiden again on its features.
#
#   benchmarks/atlas.sh [CELLS [RANKS [FOLDER]]]      (1300000 cells, 2 ranks, a folder in /tmp)
#
# Prints wall seconds and the peak memory of the hungriest process of each step, and what the run says of itself. FOLDER
# keeps its files (about 16 KB a cell in all). Needs a build in build/release.
set -euo pipefail
here=$(dirname -- "${BASH_SOURCE[0]}")
cells=${1:-1300000} ranks=${2:-2} folder=${3:-/tmp/masksc-atlas}
bin=$here/../build/release/bin
mkdir -p "$folder"

# step NAME COMMAND...: runs it, with one line of what it took.
step() {
  local name=$1
  shift
  local start=$SECONDS
  "$@" >"$folder/$name.log" 2>&1 || { tail -n 5 "$folder/$name.log" >&2; exit 1; }
  awk -v name="$name" -v seconds=$((SECONDS - start)) '/Maximum resident set size/ && $NF > most { most = $NF }
    END { printf "| %s | %d | %.2f |\n", name, seconds, most / 1048576 }' "$folder/$name.log"
}

# over RANKS PROGRAM...: each rank under time -v, for its peak memory.
over() {
  local n=$1 program=$2
  shift 2
  "$here/../launch/run.sh" "$n" /usr/bin/time -v "$bin/$program" "$@"
}

echo "| step | seconds | peak memory of a process (GiB) |"
echo "|---|--:|--:|"
step simulate over "$ranks" masksc_simulate --output "$folder/counts.h5ad" --cells "$cells" --genes 2000 --groups 20 \
  --library-location 6 --de-probability 0.3 --overwrite
step prepare over 1 masksc_prepare --input "$folder/counts.h5ad" --labels group --output "$folder/prepared.h5" --overwrite
step train over "$ranks" masksc_train --input "$folder/prepared.h5" --labels group --output "$folder/run" --matrix 44x44 --dim 64 \
  --encoder-depth 2 --decoder-depth 1 --sequence-epochs 1 --epochs 1 --batch-size 512 --sequence-batch-size 512 \
  --clusters 20 --overwrite
step kmeans over "$ranks" masksc_cluster --input "$folder/run/result.h5ad" --labels group --clusters 20 \
  --output "$folder/kmeans.h5ad" --overwrite
step leiden over "$ranks" masksc_cluster --input "$folder/run/result.h5ad" --labels group --method leiden \
  --output "$folder/leiden.h5ad" --overwrite
echo
python3 - "$folder/run/metrics.json" <<'PY'
import json, sys
m = json.load(open(sys.argv[1]))
for name in ("cells", "genes", "ranks", "ari", "nmi", "silhouette", "silhouette_standard_error", "silhouette_cells",
             "cells_per_second", "seconds", "peak_memory_bytes", "version"):
    print(f"{name}: {m.get(name)}")
PY
