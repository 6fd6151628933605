#!/usr/bin/env bash
# Fetches the three public data sets of the README from GitHub and checks them (8 MB). Needs a network.
#
#   launch/download_data.sh [FOLDER]     (default data/)
#
# A file that is there and right is left alone; one that is there and wrong is named, never replaced. Without a network
# take the files from a colleague or from the addresses that an error names, put them into FOLDER, and run this again
# to check them. They are raw counts with expert labels (X: cells x genes, Y: one label a cell) as published with scDCC:
#   worm_neuron_cell.h5     4186 x 13488, 10 types (Cao et al., Science 2017)
#   10X_PBMC_top2000.h5     4271 x 2000, 8 types (Zheng et al., Nat. Commun. 2017)
#   mouse_bladder_cell.h5   2100 x 20670, 16 types (Han et al., Cell 2018)
#
# Exit codes: 0 all files are there and right, 2 a file of that name is another, 3 no network or no room.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

case ${1:-} in
  --help | -h) help "$0"; exit 0 ;;
  -*) fail 2 "unknown option '$1' (see --help)" ;;
esac
folder=${1:-$MASKSC_ROOT/data}
source=https://raw.githubusercontent.com/ttgump/scDCC/142e4e0370f4134751e92a160f95f97fce8db369/data/Small_Datasets

right() { sha256sum "$1" | grep -q "^$2 "; }

download() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --tries=3 --connect-timeout=20 --output-document="$2" "$1"
  else
    fail 3 "neither curl nor wget on PATH; fetch $1 yourself"
  fi
}

# fetch NAME PUBLISHED_NAME SHA256
fetch() {
  local file=$folder/$1
  if [ -e "$file" ]; then
    right "$file" "$3" || fail 2 "$file is not the published file (sha256 differs); move it away and run this again"
    say "$file is there"
    return 0
  fi
  download "$source/$2" "$file.part" ||
    fail 3 "could not fetch $source/$2 (no network?); put the file at $file yourself and run this again"
  right "$file.part" "$3" || { rm -f "$file.part"; fail 3 "$source/$2 came damaged (sha256 differs); try again"; }
  mv "$file.part" "$file"
  say "$file fetched"
}

mkdir -p "$folder" || fail 3 "could not make $folder"
fetch worm_neuron_cell.h5 worm_neuron_cell.h5 4f2a3c4b8492bcd11d957a8a74098ba258c271d714718c175854a7c44b1e31e6
fetch 10X_PBMC_top2000.h5 10X_PBMC_top2000.h5 ec78ead405dfa988d6156c12068b49c0782ca58f5ed52c938d8ba8e8377eb16e
fetch mouse_bladder_cell.h5 mouse_bladder_cell_select_2100.h5 \
  4e686932884fc04d8bc9a92dad1a648d6e23f490b0c106903bca95d68093f591
