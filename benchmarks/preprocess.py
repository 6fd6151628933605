"""How fast is preparation beside scanpy, on one core, in one run?

    python benchmarks/preprocess.py BUILD DATA > benchmarks/results/preprocess.md

Both go from the file to dense standardised float32 rows of the chosen genes: read, drop genes without counts, median
total, log1p, variable genes (Seurat), standardise and clip. Both are pinned to core 0 with one thread. scanpy's
compiled parts are warmed up on a small matrix first; files are in the page cache. mask-sc makes its rows dense in
batches of 256, as training takes them. Times are CPU seconds (what one idle core takes, whatever else the machine does),
medians of REPEATS alternating runs. Correctness: the chosen genes are compared one by one, and every dense value.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scanpy_peer import one_core, prepare

REPEATS = 3
CASES = [("worm_neuron_cell", 4096, "64x64"), ("mouse_bladder_cell", 4096, "64x64"), ("10X_PBMC_top2000", 1936, "44x44")]
STAGES = ["read", "prepare", "densify"]


def scanpy_once(path, genes, dump):
    """Runs in a process of its own: imports and warm-up are not timed."""
    import warnings

    import anndata
    import h5py
    import numpy as np
    import scipy.sparse

    warnings.simplefilter("ignore")

    random = np.random.default_rng(0)
    small = random.poisson(0.5, (60, 80)).astype(np.float32)
    for counts in (small, scipy.sparse.csr_matrix(small)):
        prepare(anndata.AnnData(counts.copy()), 40)

    start = time.process_time()
    if path.endswith(".h5ad"):
        data = anndata.read_h5ad(path)
    else:
        with h5py.File(path) as file:
            data = anndata.AnnData(np.array(file["X"], dtype=np.float32))
    read = time.process_time() - start
    data = prepare(data, genes)
    seconds = time.process_time() - start
    np.ascontiguousarray(data.X, dtype=np.float32).tofile(dump)
    print(json.dumps({"read": read, "prepare": seconds - read, "genes": [int(g) for g in data.var_names]}))


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def as_h5ad(source, target):
    """The same counts as sparse h5ad, the form that most data come in."""
    import anndata
    import h5py
    import numpy as np
    import scipy.sparse

    with h5py.File(source) as file:
        counts = scipy.sparse.csr_matrix(np.array(file["X"], dtype=np.float32))
    anndata.AnnData(counts).write_h5ad(target)


def largest_difference(ours, our_genes, theirs, their_genes, cells):
    import numpy as np

    ours = np.fromfile(ours, np.float32).reshape(cells, -1)
    theirs = np.fromfile(theirs, np.float32).reshape(cells, -1)
    return float(np.abs(ours[:, np.argsort(our_genes)] - theirs[:, np.argsort(their_genes)]).max())


def case(program, path, genes, matrix, work):
    dumps = [work / "ours.f32", work / "theirs.f32"]
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(run([program, path, matrix]))
        theirs.append(run([sys.executable, __file__, "--scanpy", path, genes, dumps[1]]))
    run([program, path, matrix, dumps[0]])
    same = len(set(ours[-1]["genes"]) & set(theirs[-1]["genes"]))
    difference = largest_difference(dumps[0], ours[-1]["genes"], dumps[1], theirs[-1]["genes"], ours[-1]["cells"])
    median = lambda runs, stages: statistics.median(sum(r[s] for s in stages) for r in runs)  # noqa: E731
    total, scanpy = median(ours, STAGES), median(theirs, STAGES[:2])
    return [f"{median(ours, ['read']):.2f}", f"{median(ours, STAGES[1:]):.2f}", f"**{total:.2f}**",
            f"{median(theirs, ['read']):.2f}", f"{median(theirs, ['prepare']):.2f}", f"**{scanpy:.2f}**",
            f"**{scanpy / total:.1f} ×**", f"{same} of {genes}", f"{difference:.1e}"]


def main(build, data):
    one_core()
    program = Path(build) / "bin" / "benchmark_preprocess"
    print("# Preparation beside scanpy, one core\n\nMade by `benchmarks/preprocess.py`; CPU seconds, medians of "
          f"{REPEATS} runs each, alternating. From the file to dense standardised rows of the chosen genes.\n")
    print("| data | file | read | prepare | mask-sc | read | prepare | scanpy | faster | same genes | largest difference |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, genes, matrix in CASES:
            sparse = work / f"{name}.h5ad"
            as_h5ad(Path(data) / f"{name}.h5", sparse)
            for form, path in (("dense X/Y", Path(data) / f"{name}.h5"), ("sparse h5ad", sparse)):
                print("| " + " | ".join([name, form, *case(program, path, genes, matrix, work)]) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--scanpy":
        scanpy_once(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
