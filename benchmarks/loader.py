"""How many cells a second become dense normalised batches, beside anndata's own loaders?

    python benchmarks/loader.py BUILD > benchmarks/results/loader.md

CELLS cells x 2000 genes, 5 % of them with counts, as an h5ad file (CSR, not compressed) and as the file that
masksc_prepare makes of it; both in the page cache. Every loader hands out batches of 256 cells in random order as dense
float32 rows, scaled to the median total, log1p, standardised and clipped, one rank or process, pinned to the CPUs given.
anndata: AnnLoader on the matrix in memory and on the backed file, and rows of the backed file by index (sorted within
the batch), each normalised by PyTorch. The slow ones are stopped after SECONDS. Rounds alternate; mean and standard
deviation over them, of cells per wall second and per processor second (of all threads: what one idle core would do,
whatever else the machine does). The ratios are those of the latter, to the faster of the two loaders that read from disk
and to AnnLoader in memory.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CELLS, GENES, DENSITY, BATCH = 100_000, 2000, 0.05, 256
ROUNDS, SECONDS = 3, 6
OURS = {"held, all cells shuffled": ["held", 0, 0], "held, blocks of 256": ["held", 256, 65536],
        "streamed, blocks of 256 in 16,384": ["streamed", 256, 16384],
        "streamed, blocks of 256 in 65,536": ["streamed", 256, 65536]}
PEERS = ["AnnLoader, in memory", "AnnLoader, backed", "backed rows by index"]


def make(folder):
    import anndata
    import numpy as np
    import scipy.sparse

    random = np.random.default_rng(0)
    counts = scipy.sparse.random(CELLS, GENES, DENSITY, "csr", np.float32, random,
                                 lambda n: 1 + random.poisson(1.5, n))
    path = folder / "cells.h5ad"
    anndata.AnnData(counts).write_h5ad(path)
    return path


def peer(name, path):
    """Cells and seconds of one loader, in a process of its own; opening and reading what it holds are not timed."""
    import warnings

    import anndata
    import numpy as np
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    data = anndata.read_h5ad(path, backed=None if "memory" in name else "r")
    sample = anndata.read_h5ad(path).X
    totals = np.asarray(sample.sum(1)).ravel()
    median = float(np.median(totals[totals > 0]))
    logs = sample.multiply(1 / (totals[:, None] / median)).tocsr().log1p()
    mean = torch.tensor(np.asarray(logs.mean(0)).ravel(), dtype=torch.float32)
    square = torch.tensor(np.asarray(logs.multiply(logs).mean(0)).ravel(), dtype=torch.float32)
    inverse = 1 / torch.sqrt(torch.clamp(square - mean * mean, min=1e-12))
    del sample, logs

    def normalise(x):
        x = torch.log1p(x / (x.sum(1, keepdim=True) / median))
        return torch.clamp((x - mean) * inverse, -10, 10)

    if name.startswith("AnnLoader"):
        from anndata.experimental import AnnLoader

        batches = (batch.X for batch in AnnLoader(data, batch_size=BATCH, shuffle=True))
    else:
        order = random.permutation(CELLS)
        batches = (torch.from_numpy(data.X[np.sort(order[i:i + BATCH])].toarray()) for i in range(0, CELLS, BATCH))
    start, cpu, cells = time.perf_counter(), time.process_time(), 0
    for x in batches:
        cells += len(normalise(x if not x.is_sparse and x.layout == torch.strided else x.to_dense()))
        if time.perf_counter() - start > SECONDS:
            break
    print(json.dumps({"cells": cells, "wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}))


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def shown(values):
    return f"{statistics.mean(values):,.0f} ± {statistics.stdev(values):,.0f}"


def main(build):
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    binaries = Path(build) / "bin"
    speeds = {name: {"wall": [], "cpu": []} for name in [*OURS, *PEERS]}
    with tempfile.TemporaryDirectory() as work:
        source = make(Path(work))
        store = Path(work) / "cells.h5"
        subprocess.run([binaries / "masksc_prepare", "--input", source, "--output", store, "--quiet"], check=True)
        for _ in range(ROUNDS):
            for name, how in OURS.items():
                made = run([binaries / "benchmark_loader", store, "50x40", 10, BATCH, *how])
                assert made["cells"] == CELLS and made["width"] == GENES, made
                for clock in ("wall", "cpu"):
                    speeds[name][clock].append(3 * CELLS / sum(epoch[clock] for epoch in made["epochs"]))
            for name in PEERS:
                got = run([sys.executable, __file__, "--peer", name, source])
                for clock in ("wall", "cpu"):
                    speeds[name][clock].append(got["cells"] / got[clock])
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    memory, *backed = (statistics.mean(speeds[name]["cpu"]) for name in PEERS)
    print(f"# From the prepared file to dense normalised batches, one rank\n\n{time.strftime('%Y-%m-%d')}, {platform.machine()}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, commit {commit}. Command: `python benchmarks/loader.py "
          f"{build}`. {CELLS:,} cells x {GENES} genes, {DENSITY:.0%} with counts, batches of {BATCH}, page cache warm; mean ± "
          f"sd of {ROUNDS} rounds, of mask-sc three epochs each.\n")
    print("| loader | cells/s | cells per processor second | to anndata from disk | to anndata in memory |\n|---|--:|--:|--:|--:|")
    for name, of in speeds.items():
        who = f"mask-sc, {name}" if name in OURS else f"anndata, {name}"
        print(f"| {who} | {shown(of['wall'])} | {shown(of['cpu'])} | "
              f"{statistics.mean(of['cpu']) / max(backed):.1f} × | {statistics.mean(of['cpu']) / memory:.1f} × |")


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
