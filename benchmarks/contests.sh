#!/usr/bin/env bash
# Simulated contests: five levels of dropout, 300 cells, a rare group of 1 %; all by masksc_compare with one recipe.
#
#   benchmarks/contests.sh BUILD DIR [SEEDS [METHODS [CONFIG]]]
#
# BUILD: the build folder (build/release). DIR: data and comparisons, DIR/CONTEST/comparison.md each; what is there is
# not computed again. SEEDS: 3. METHODS: a list for masksc_compare. CONFIG: configs/fast.ini. Two ranks, one thread each.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/../launch source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../launch/env.sh"

case ${1:-} in --help | -h) help "$0"; exit 0 ;; esac
[ $# -ge 2 ] || fail 2 "give the build folder and one for the results (see --help)"
bin=$1/bin out=$2 seeds=${3:-3}
methods=${4:-mask-sc,contrastive-sc,dca,pca-kmeans,pca-leiden,residual-kmeans,residual-leiden,kmeans,gmm,cidr,soup,scrna-nmf}
config=${5:-$MASKSC_ROOT/configs/fast.ini}
mkdir -p "$out"

contest() { # NAME OPTIONS of masksc_simulate
  local name=$1; shift
  [ -e "$out/$name.h5ad" ] || "$bin/masksc_simulate" --output "$out/$name.h5ad" --seed 7 --quiet "$@"
  "$MASKSC_LAUNCH/run.sh" 2 "$bin/masksc_compare" --config "$config" --input "$out/$name.h5ad" --labels group \
    --methods "$methods" --seeds "$seeds" --threads 1 --output "$out/$name" --quiet
}

hard=(--genes 2000 --de-probability 0.1 --de-location 0.2)
for mid in none 0 1 2 3; do # log count at which half of the counts are lost
  drop=(--dropout none); [ "$mid" = none ] || drop=(--dropout expression --dropout-mid "$mid")
  contest "dropout-$mid" --cells 2000 --groups 0.35,0.25,0.15,0.1,0.08,0.07 "${hard[@]}" "${drop[@]}"
done
contest few-cells --cells 300 --groups 5 "${hard[@]}" --dropout expression --dropout-mid 0
contest rare-group --cells 2000 --groups 0.5,0.3,0.19,0.01 "${hard[@]}" --dropout expression --dropout-mid 0

for name in dropout-none dropout-0 dropout-1 dropout-2 dropout-3 few-cells rare-group; do
  printf '\n### %s\n' "$name"; cat "$out/$name/comparison.md"
done
