"""Seeds of the fuzz targets, made on the spot: sound inputs and pieces of sound files.

    seeds.py FOLDER        writes FOLDER/TARGET/...
"""
import json
import pathlib
import re
import sys
import tempfile
import warnings

import h5py

import bases
import mutate

ROOT = pathlib.Path(__file__).resolve().parents[2]


def heaps_of(data):
    for match in re.finditer(b"GCOL\1\0\0\0", data):
        size = int.from_bytes(data[match.start() + 8:match.start() + 16], "little")
        yield data[match.start():match.start() + size]


def chunks_of(path):
    """Stored chunks behind the four bytes that tell target `chunk` how to unpack them."""
    with h5py.File(path) as file:
        for name in mutate.arrays(file):
            array = file[name]
            if not array.chunks or array.size == 0 or array.dtype.hasobject:
                continue
            size = array.dtype.itemsize
            for extent in array.chunks:
                size *= extent
            _, stored = array.id.read_direct_chunk((0,) * array.ndim)
            missing = 3 - bool(array.shuffle) - bool(array.compression) - bool(array.fletcher32)
            if size < 1 << 16:
                yield bytes([missing << 2, array.dtype.itemsize, size & 255, size >> 8]) + stored


def configurations():
    for path in sorted((ROOT / "configs").glob("*.ini")):
        yield path.read_bytes()
    for line in ("matrix = 16x16\npatch = 4\n", "# comment\n\nclusters = 5 # five\n", "[section]\nlayer=raw\n",
                 "plan-cells = 1e6\nplan-gpu = a100", "allow-noninteger = yes\ngroups = 0.5,0.3,0.2\n", "layer = \"a b\""):
        yield line.encode()


def records():
    yield json.dumps({"input": {"path": "/a", "bytes": 3, "modified": 5, "fingerprint": "f"}, "labels": "g"}).encode()
    yield json.dumps({"rank": 1, "host": "h", "pid": 2, "stage": "train", "step": 3, "beat": 4, "state": "waiting",
                      "time": "2026-01-01T00:00:00Z", "operation": "all-reduce", "waiting_seconds": 1.5, "longest_step_seconds": 0.5}).encode()
    yield json.dumps({"epochs": 3, "deep": [[[[{"a": None}]]]], "loss": 1.5e-3, "text": "\u00e9\n"}).encode()


def manifests():
    array = {"name": "weights/w", "shape": [2, 3], "offset": 8, "bytes": 24, "xxh3": "0" * 16}
    yield json.dumps({"format": 3, "header": {"kind": "k", "version": "v"}, "arrays": [array], "rest": ""}).encode()
    yield json.dumps({"format": 3, "header": {"kind": "k"}, "arrays": [], "rest": "0" * 16}).encode()


def main(folder):
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        files = bases.write_bases(scratch)
        seeds = {
            "heap": [heap for path in files for heap in heaps_of(path.read_bytes())][:20],
            "chunk": [chunk for path in files for chunk in chunks_of(path)][:40],
            "configuration": list(configurations()),
            "option_value": [bytes([i]) + value for i, value in enumerate(
                [b"5", b"0.25", b"yes", b"auto", b"16x16", b"500,300,200", b"1e-3", b"leiden", b"a100", b"-1"] * 4)],
            "gene_list": [b"gene1\ngene2\n", b" Gata1 \r\n\n\tMT-CO1", b"twice\n", b"unknown\ngene1\n", b""],
            "json": list(records()),
            "sealed": list(manifests()),
            "text": ["caf\u00e9 \U0001f9ec \u202e".encode(), b"\x1b[31m\xff\n", b"celltype cell_type"],
        }
    for target, inputs in seeds.items():
        place = pathlib.Path(folder) / target
        place.mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(inputs):
            (place / f"{i:03}").write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1])
