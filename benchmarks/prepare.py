"""From a file of 100,000 cells to standardised rows of its variable genes, beside scanpy: processor time and memory.

    python benchmarks/prepare.py BUILD > benchmarks/results/prepare.md

masksc_prepare writes the prepared file, then benchmark_loader reads it as training does: statistics, choice of genes,
and one pass over all cells in dense batches, with all rows in memory (held) or a buffer of them (streamed). scanpy reads
the same h5ad and makes the dense scaled matrix: filter_genes, normalize_total, log1p, highly_variable_genes, scale. Each
is pinned to one core with one thread. Times are processor seconds, the whole of the processes; scanpy without its
imports. Memory is the peak resident size of the process (of ours the larger of the two). Rounds alternate.
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

from scanpy_peer import one_core, prepare

CELLS, GENES, TOP = 100_000, 3000, 1936
ROUNDS = 2


def scanpy_once(path):
    import warnings

    import anndata
    import numpy as np
    import scipy.sparse

    warnings.simplefilter("ignore")

    small = np.random.default_rng(0).poisson(0.5, (60, 80)).astype(np.float32)
    prepare(anndata.AnnData(scipy.sparse.csr_matrix(small)), 40)
    start = time.process_time()
    data = prepare(anndata.read_h5ad(path), TOP)
    assert data.shape == (CELLS, TOP), data.shape
    print(json.dumps({"seconds": time.process_time() - start}))


def measured(command):
    """The last line of its output, its processor seconds and peak memory, those of its children included."""
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return out.splitlines()[-1] if out else "", usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main(build):
    one_core()
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    binaries = Path(build) / "bin"
    times = {name: [] for name in ("prepare", "held", "streamed", "scanpy")}
    peaks = {name: [] for name in times}
    with tempfile.TemporaryDirectory() as work:
        source, store = Path(work) / "cells.h5ad", Path(work) / "cells.h5"
        subprocess.run([binaries / "masksc_simulate", "--output", source, "--cells", str(CELLS), "--genes", str(GENES),
                        "--groups", "8", "--quiet"], check=True)
        for _ in range(ROUNDS):
            _, seconds, peak = measured([binaries / "masksc_prepare", "--input", source, "--output", store, "--overwrite",
                                         "--quiet"])
            times["prepare"].append(seconds)
            peaks["prepare"].append(peak)
            for how in ("held", "streamed"):
                line, _, peak = measured([binaries / "benchmark_loader", store, "44x44", 11, 256, how, 256, 16384])
                made = json.loads(line)
                times[how].append(made["prepare"]["cpu"] + made["epochs"][0]["cpu"])
                peaks[how].append(peak)
            line, _, peak = measured([sys.executable, __file__, "--scanpy", source])
            times["scanpy"].append(json.loads(line)["seconds"])
            peaks["scanpy"].append(peak)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    mean = statistics.mean
    print(f"# Preparing 100,000 cells, beside scanpy\n\n{time.strftime('%Y-%m-%d')}, {platform.machine()}, one core, load "
          f"{os.getloadavg()[0]:.1f}, commit {commit}. Command: `python benchmarks/prepare.py {build}`. {CELLS:,} simulated cells "
          f"x {GENES} genes, {TOP} chosen; mean ± sd of {ROUNDS} rounds.\n")
    print("| | masksc_prepare, s | preparation, s | together, s | peak, GiB | faster | memory |\n|---|--:|--:|--:|--:|--:|--:|")
    scanpy, scanpy_peak = mean(times["scanpy"]), mean(peaks["scanpy"])
    for how in ("held", "streamed"):
        both = [a + b for a, b in zip(times["prepare"], times[how])]
        peak = max(mean(peaks["prepare"]), mean(peaks[how]))
        print(f"| mask-sc, {how} | {mean(times['prepare']):.1f} | {mean(times[how]):.1f} | {mean(both):.1f} ± "
              f"{statistics.stdev(both):.1f} | {peak:.2f} | {scanpy / mean(both):.1f} × | {peak / scanpy_peak:.2f} × |")
    print(f"| scanpy | | | {scanpy:.1f} ± {statistics.stdev(times['scanpy']):.1f} | {scanpy_peak:.2f} | | |")


if __name__ == "__main__":
    if sys.argv[1] == "--scanpy":
        scanpy_once(sys.argv[2])
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
