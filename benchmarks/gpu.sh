#!/usr/bin/env bash
# Measures the training on the GPU of a machine that has PyTorch for CUDA, from gpu_bundle/ (benchmarks/gpu_bundle.sh):
# the tests that need a GPU, the step beside PyTorch's with the memory that checkpointing saves, both decoders, LibTorch's
# two kinds of fused attention, passes launched as CUDA graphs, and some epochs of the paper's configuration on the worm's
# neurons, told for all 1600, with the kernels of two steps. Ends within 9 minutes.
#
#   benchmarks/gpu.sh            writes gpu.md, into the folder OUT when that is set
#
# A part that fails or takes too long is told in gpu.md; the others are done all the same.
# Exit codes: 0 all done, 1 a part failed, 2 no gpu_bundle/, 3 no PyTorch of its version, no GPU, or no room to write.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/../launch source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../launch/env.sh"

case ${1:-} in
  --help | -h) help "$0"; exit 0 ;;
  ?*) fail 2 "no argument is known, not '$1' (see --help)" ;;
esac
root=$MASKSC_ROOT
packed=$root/gpu_bundle
[ -f "$packed/programs.tar.gz" ] || fail 2 "no programs in '$packed': make it with benchmarks/gpu_bundle.sh and bring it here"
{ read -r commit && read -r torch_version; } <"$packed/versions"

found=$(python3 -c 'import torch; print(torch.__version__, torch.__path__[0])') || fail 3 "python3 has no torch"
[ "${found%% *}" = "$torch_version" ] || fail 3 "python3 has torch ${found%% *}, the programs were built with $torch_version"
work=$(mktemp -d) || fail 3 "no room for temporary files"
trap 'rm -rf "$work"' EXIT
bundle=$work/bundle
mkdir "$bundle"
tar -C "$bundle" -xf "$packed/programs.tar.gz" || fail 3 "cannot unpack '$packed/programs.tar.gz'"
export LD_LIBRARY_PATH="${found#* }/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export OMPI_MCA_plm_rsh_agent=sh  # Open MPI looks for ssh, though nothing is started elsewhere
export MASKSC_COMMIT=$commit PYTHONDONTWRITEBYTECODE=1
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
  printf '\nFAILED with exit code %s%s:\n\n```\n%s\n```\n' "$code" "$([ "$code" != 124 ] || echo " (after $limit seconds)")" \
    "$(tail -n 15 "$work/errors")" >>"$report"
}

# Those that follow are called by name, below.
# head_of_rows TITLES DASHES: the head of a table, whose first columns these are.
# shellcheck disable=SC2016,SC2317
head_of_rows() {
  printf '`benchmark_step` with the model above, bf16, one run each:\n\n'
  printf '| %s | cells/s | TFLOP/s (by its formula) | peak GiB | last loss |\n|%s|---|---|---|---|\n' "$1" "$2"
}

# row LABEL OPTION...: a run of the benchmark as a row of a table.
# shellcheck disable=SC2317
row() {
  local label=$1
  shift
  "$bundle/bin/benchmark_step" --side 64 --patch 4 --dim 768 --enc 12 --dec 8 --heads 12 --dec-heads 16 --device cuda \
    --amp bf16 --threads 4 --steps 10 "$@" | python3 -c '
import json, sys
run = json.loads([line for line in sys.stdin if line.startswith("{")][-1])
print("| {} | {:.0f} | {:.1f} | {:.2f} | {:.5f} |".format(sys.argv[1], run["cells_per_s"], run["tflops"],
      run["peak_gib"], run["last_loss"]))' "$label"
}

# On Hopper LibTorch takes the attention of a recent cuDNN first, unless told otherwise, and its own flash attention next.
# shellcheck disable=SC2317
attention_and_decoders() {
  head_of_rows 'decoder, attention' ---
  row "full, LibTorch's choice" --batch 256 --warmup 3
  TORCH_CUDNN_SDPA_DEPRIORITIZED=1 row 'full, cuDNN last' --batch 256 --warmup 3
  row "cross, LibTorch's choice" --batch 256 --warmup 3 --decoder cross
}

# A rank's share of the global batch on 1 and on 8 GPUs.
# shellcheck disable=SC2016,SC2317
cuda_graphs() {
  head_of_rows 'cells a rank | `--cuda-graph`' '---|---'
  for batch in 256 32; do
    for graph in no yes; do row "$batch | $graph" --batch "$batch" --warmup 4 --cuda-graph "$graph"; done
  done
}

# Cells/s are those of the steps alone: two checkpoints of 1.7 GB are written, which take as long as some epochs.
# shellcheck disable=SC2016,SC2317
paper() {
  "$bundle/bin/masksc_train" --config "$root/configs/paper.ini" --input "$bundle/worm_neuron_cell.h5" --labels Y \
    --clusters 10 --epochs 12 --device cuda --report no --quiet --profile 100:101 --output "$work/run" >&2
  printf '`masksc_train --config configs/paper.ini --epochs 12 --device cuda`, worm neurons (4186 cells, 64x64 of 13488 genes):\n\n'
  python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))
training = run["training"]
part = training["fraction_of_peak"]
names = ("data", "forward", "backward", "exposed_communication", "update")
steps = sum(training[name] for name in names)
print("| device | cells/s | TFLOP/s | of the peak | seconds of steps (" + ", ".join(names) + ") | of stage 2 | loss |\n|---|---|---|---|---|---|---|")
print("| {} | {:.0f} | {:.1f} | {} | {:.1f} ({}) | {:.1f} | {:.4f} |".format(
      training["device"], run["cells"] * run["epochs"] / steps, training["tflops"],
      "unknown" if part is None else f"{100 * part:.1f} %", steps, ", ".join(f"{training[name]:.1f}" for name in names),
      run["seconds"]["train"], run["loss"]))
print("\nAt that speed the paper\x27s 1600 epochs take {:.2f} hours on this GPU.".format(1600 / run["epochs"] * steps / 3600))' "$work/run/metrics.json"
  printf '\nTwo of its steps, by kernel:\n\n'
  python3 "$root/benchmarks/kernels.py" "$work"/run/trace-0.json
}
export -f head_of_rows row attention_and_decoders cuda_graphs paper
export bundle root work

part "Tests" 90 "$bundle/bin/gpu_tests" --gtest_brief=1
part "The step beside PyTorch, and checkpointing" 190 python3 "$root/benchmarks/step.py" "$bundle" "$bundle/torch_peer.py" \
  --device cuda --amp bf16 --rounds 2 --steps 10
part "Attention, and both decoders" 55 bash -euo pipefail -c attention_and_decoders
part "Passes as CUDA graphs" 55 bash -euo pipefail -c cuda_graphs
part "The paper's configuration" 100 bash -euo pipefail -c paper
cat "$report"
exit "$failed"
