#!/usr/bin/env bash
# Measures the training on the GPU of a machine that has PyTorch for CUDA, from gpu_bundle/ (benchmarks/gpu_bundle.sh):
# the tests that need a GPU, the step beside PyTorch's with the memory that checkpointing saves, both decoders, LibTorch's
# two kinds of fused attention, passes launched as CUDA graphs, and some epochs of the paper's configuration on the worm's
# neurons, told for all 1600, with the kernels of two steps. Two calls end within 9 minutes each, whatever happens:
# `tests attention graphs` and `paper step`.
#
#   benchmarks/gpu.sh [PART...]  writes gpu.md, into the folder OUT when that is set; the parts, all unless named, are
#                                tests, attention, graphs, step and paper
#
# A part that fails or takes too long is told in gpu.md; the others are done all the same.
# Exit codes: 0 all done, 1 a part failed, 2 no gpu_bundle/, 3 no PyTorch of its version, no GPU, or no room to write.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/../launch source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../launch/env.sh"

case ${1:-} in
  --help | -h) help "$0"; exit 0 ;;
esac
[ $# -gt 0 ] || set -- tests attention graphs step paper
for name in "$@"; do
  case $name in
    tests | attention | graphs | step | paper) ;;
    *) fail 2 "no part is called '$name' (see --help)" ;;
  esac
done
root=$MASKSC_ROOT
packed=$root/gpu_bundle
[ -f "$packed/programs.tar.gz" ] || fail 2 "no programs in '$packed': make it with benchmarks/gpu_bundle.sh and bring it here"
{ read -r commit && read -r torch_version; } <"$packed/versions"
clean=${commit%-dirty}
here=$(git -C "$root" rev-parse --short=${#clean} HEAD 2>/dev/null || echo "$clean")
[ "$here" = "$clean" ] || say "the programs in '$packed' are of commit $commit, this folder is at $here"

found=$(python3 -c 'import torch; print(torch.__version__, torch.__path__[0])') || fail 3 "python3 has no torch"
[ "${found%% *}" = "$torch_version" ] || fail 3 "python3 has torch ${found%% *}, the programs were built with $torch_version"
work=$(mktemp -d) || fail 3 "no room for temporary files"
trap 'rm -rf "$work"' EXIT
bundle=$work/bundle
mkdir "$bundle"
tar -C "$bundle" -xf "$packed/programs.tar.gz" || fail 3 "cannot unpack '$packed/programs.tar.gz'"
export LD_LIBRARY_PATH="${found#* }/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export OMPI_MCA_plm_rsh_agent=sh  # Open MPI looks for ssh, though nothing is started elsewhere
export OMPI_MCA_ess_singleton_isolated=1  # no daemon, which needs a network interface
export MASKSC_COMMIT=$commit
"$bundle/bin/masksc_train" --version >&2 || fail 3 "the programs in '$packed' do not start here"
"$bundle/bin/benchmark_step" --side 8 --dim 16 --enc 1 --dec 1 --heads 2 --dec-heads 2 --batch 4 --steps 1 >&2 ||
  fail 3 "the benchmark in '$packed' does not run here"
gpu=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader) ||
  fail 3 "no GPU: nvidia-smi finds none; this script measures nothing else"
python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || fail 3 "no GPU: PyTorch sees none"

report=${OUT:-.}/gpu.md
printf '# Training on a GPU\n\n%s, %s (memory, driver), %s cores, commit %s, torch %s.\n' "$(date -u +%F)" "$gpu" "$(nproc)" \
  "$commit" "$torch_version" >"$report" || fail 3 "cannot write '$report'"

failed=0
# Markdown has backquotes.
# shellcheck disable=SC2016
# part TITLE SECONDS COMMAND...: its output under a heading.
part() {
  local title=$1 limit=$2 code=0
  shift 2
  printf '\n## %s\n\n' "$title" >>"$report"
  timeout --kill-after=5 "$limit" "$@" >>"$report" 2>"$work/errors" || code=$?
  [ "$code" = 0 ] && return
  failed=1
  cp "$work/errors" "${OUT:-.}/errors-$limit-${title//[^A-Za-z]/}.txt"
  printf '\nFAILED with exit code %s%s:\n\n```\n%s\n```\n' "$code" "$([ "$code" != 124 ] || echo " (after $limit seconds)")" \
    "$(tail -n 15 "$work/errors")" >>"$report"
}

# Those that follow are called by name, below.
# head_of_rows TITLES DASHES: the head of a table, whose first columns these are.
# shellcheck disable=SC2016,SC2317
head_of_rows() {
  printf '`benchmark_step` with the model of the paper (64 x 64, patches of 4, width 768, 12 + 8 blocks), bf16, one run each:\n\n'
  printf '| %s | cells/s | TFLOP/s (by its formula) | peak GiB | last loss |\n|%s|---|---|---|---|\n' "$1" "$2"
}

# row LABEL OPTION...: a run of the benchmark as a row of a table; one that fails is a row, too, and makes the part fail.
# shellcheck disable=SC2317
row() {
  measured_row "$@" || { printf '| %s | FAILED | | | |\n' "$1"; rows_failed=1; }
}
# shellcheck disable=SC2317
measured_row() {
  local label=$1
  shift
  "$bundle/bin/benchmark_step" --side 64 --patch 4 --dim 768 --enc 12 --dec 8 --heads 12 --dec-heads 16 --device cuda \
    --amp bf16 --threads 4 --steps 10 "$@" | python3 -c '
import json, sys
run = json.loads([line for line in sys.stdin if line.startswith("{")][-1])
print("| {} | {:.0f} | {:.1f} | {:.2f} | {:.5f} |".format(sys.argv[1], run["cells_per_s"], run["tflops"],
      run["peak_gib"], run["last_loss"]))' "$label"
}

# On Hopper LibTorch takes the attention of a recent cuDNN first, its own flash attention next; mask-sc leaves cuDNN's out
# unless told otherwise (model/device.cpp).
# shellcheck disable=SC2317
attention_and_decoders() {
  head_of_rows 'decoder, attention' ---
  row 'full' --batch 256 --warmup 3
  MASKSC_CUDNN_ATTENTION=1 row 'full, cuDNN first' --batch 256 --warmup 3
  TORCH_BLAS_PREFER_CUBLASLT=1 row 'full, products by cuBLASLt' --batch 256 --warmup 3
  row 'full, 247 cells (of 4186 in 17 batches)' --batch 247 --warmup 3
  row 'full, 512 cells' --batch 512 --warmup 3
  row 'cross' --batch 256 --warmup 3 --decoder cross
  return "${rows_failed:-0}"
}

# A rank's share of the global batch on 1 and on 8 GPUs.
# shellcheck disable=SC2016,SC2317
cuda_graphs() {
  head_of_rows 'cells a rank | `--cuda-graph`' '---|---'
  for batch in 256 32; do
    for graph in no yes; do row "$batch | $graph" --batch "$batch" --warmup 4 --cuda-graph "$graph"; done
  done
  return "${rows_failed:-0}"
}

# The speed of the median step from the 20th on: the first ones load kernels, two are traced, and checkpoints of 1.7 GB
# take as long as some epochs.
# shellcheck disable=SC2016,SC2317
paper() {
  "$bundle/bin/masksc_train" --config "$root/configs/paper.ini" --input "$bundle/worm_neuron_cell.h5" --labels Y \
    --clusters 10 --epochs 12 --device cuda --report no --quiet --profile 100:101 \
    --output "$work/run" >&2
  printf '`masksc_train --config configs/paper.ini --epochs 12 --device cuda`, worm neurons (4186 cells, 64x64 of 13488 genes):\n\n'
  python3 -c '
import json, statistics, sys
run = json.load(open(sys.argv[1] + "/metrics.json"))
training = run["training"]
names = ("data", "forward", "backward", "exposed_communication", "update")
flop_per_cell = training["tflops"] * 1e12 * sum(training[name] for name in names) / (run["cells"] * run["epochs"])
steps = [json.loads(line) for line in open(sys.argv[1] + "/log.jsonl")]
steps = [line for line in steps if line["stage"] == "train" and "cells_per_second" in line
         and line["step"] >= 20 and line["step"] not in (100, 101)]
speed = statistics.median(line["cells_per_second"] for line in steps)
share = "unknown"
if training["fraction_of_peak"] is not None:
    share = "{:.1f} %".format(100 * training["fraction_of_peak"] * speed * flop_per_cell / (training["tflops"] * 1e12))
part = {name: statistics.median(line["seconds"].get(name, 0) for line in steps) for name in steps[0]["seconds"]}
print("| device | cells/s | TFLOP/s | of the peak | milliseconds of a step | of these | stage 2, seconds | loss |\n|---|---|---|---|---|---|---|---|")
print("| {} | {:.0f} | {:.1f} | {} | {:.1f} | {} | {:.1f} | {:.4f} |".format(
      training["device"], speed, speed * flop_per_cell / 1e12, share,
      1000 * statistics.median((line["cells"][1] - line["cells"][0]) / line["cells_per_second"] for line in steps),
      ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in part.items()), run["seconds"]["train"], run["loss"]))
print("\nAt that speed the paper\x27s 1600 epochs take {:.2f} hours on this GPU.".format(1600 * run["cells"] / speed / 3600))' "$work/run"
  # What else the figures can be read from: memory, every step, the trace.
  cp "$work/run/metrics.json" "$work/run/log.jsonl" "${OUT:-.}/"
  gzip -c "$work/run/trace-0.json" >"${OUT:-.}/trace-0.json.gz"
  printf '\nTwo of its steps, by kernel:\n\n'
  python3 "$root/benchmarks/kernels.py" "$work"/run/trace-0.json
}
export -f head_of_rows row measured_row attention_and_decoders cuda_graphs paper
export bundle root work

# Those that fail again, each in a process of its own: one error of the device spoils all that follow it.
# shellcheck disable=SC2317
tests() {
  "$bundle/bin/gpu_tests" --gtest_output="json:$work/gpu_tests.json" && return
  printf '\nTests that failed, each alone:\n\n'
  python3 -c '
import json, sys
for suite in json.load(open(sys.argv[1]))["testsuites"]:
    for test in suite["testsuite"]:
        if test.get("failures"): print(suite["name"] + "." + test["name"])' "$work/gpu_tests.json" |
    while read -r test; do "$bundle/bin/gpu_tests" --gtest_brief=1 --gtest_filter="$test" || true; done
  return 1
}
export -f tests

for name in "$@"; do
  case $name in
    tests) part "Tests" 200 bash -euo pipefail -c tests ;;
    attention) part "Attention, and both decoders" 150 bash -euo pipefail -c attention_and_decoders ;;
    graphs) part "Passes as CUDA graphs" 130 bash -euo pipefail -c cuda_graphs ;;
    step) part "The step beside PyTorch, and checkpointing" 360 python3 "$root/benchmarks/step.py" "$bundle" \
      "$bundle/torch_peer.py" --device cuda --amp bf16 --rounds 2 --steps 10 ;;
    paper) part "The paper's configuration" 170 bash -euo pipefail -c paper ;;
  esac
done
cat "$report"
exit "$failed"
