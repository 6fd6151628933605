"""How fast is K-means beside scikit-learn and faiss, from the same start, for the same number of iterations, in one run?

    python benchmarks/kmeans.py BUILD [ROWS] > benchmarks/results/kmeans.md

ROWS (1,000,000) x 64 features in 20 groups, k = 20, ITERATIONS of Lloyd from 20 rows. One core (each pinned to core 0)
and two (scikit-learn and faiss with two threads; mask-sc as two threads of one rank and as two ranks). Wall seconds from
rows in memory to labels, median of REPEATS alternating runs. Needs scikit-learn and faiss-cpu (pip), and an idle machine.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COLUMNS, CLUSTERS, ITERATIONS, REPEATS = 64, 20, 20, 3


def make(folder, rows):
    import numpy as np
    random = np.random.default_rng(0)
    centres = 1.2 * random.normal(size=(CLUSTERS, COLUMNS))
    x = (centres[random.integers(CLUSTERS, size=rows)] + random.normal(size=(rows, COLUMNS))).astype(np.float32)
    x.tofile(folder / "rows")
    x[random.choice(rows, CLUSTERS, replace=False)].tofile(folder / "start")


def once_peer(name, folder):
    """In a process of its own: imports and reading are not timed."""
    import warnings

    import numpy as np
    warnings.simplefilter("ignore")
    x = np.fromfile(folder / "rows", np.float32).reshape(-1, COLUMNS)
    start = np.fromfile(folder / "start", np.float32).reshape(-1, COLUMNS)
    if name == "scikit-learn":
        from sklearn.cluster import KMeans
        model = KMeans(CLUSTERS, init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd", copy_x=False)
        begin = time.perf_counter()
        model.fit(x)
        seconds, centres, iterations = time.perf_counter() - begin, model.cluster_centers_, model.n_iter_
    else:
        import faiss
        faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        model = faiss.Kmeans(COLUMNS, CLUSTERS, niter=ITERATIONS, min_points_per_centroid=1, max_points_per_centroid=len(x))
        begin = time.perf_counter()
        model.train(x, init_centroids=start)
        model.index.search(x, 1)  # the labels
        seconds, centres, iterations = time.perf_counter() - begin, model.centroids, ITERATIONS
    squared = [((part[:, None, :].astype(np.float64) - centres[None]) ** 2).sum(2).min(1).sum() for part in np.array_split(x, 200)]
    print(json.dumps({"seconds": seconds, "iterations": int(iterations), "inertia": float(sum(squared))}))


def once(build, folder, name, cores, ranks):
    environment = dict(os.environ, OMP_NUM_THREADS=str(cores), OPENBLAS_NUM_THREADS=str(cores), MKL_NUM_THREADS=str(cores),
                       OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    if name == "mask-sc":
        command = [str(Path(build) / "bin/benchmark_kmeans"), folder / "rows", COLUMNS, folder / "start", CLUSTERS, ITERATIONS,
                   cores // ranks]
        if ranks > 1:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", ranks, *command]
    else:
        command = [sys.executable, __file__, "--peer", name, folder]
    out = subprocess.run([str(part) for part in command], env=environment, check=True, capture_output=True, text=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, set(range(cores))))
    return json.loads(out.stdout.splitlines()[-1])


def main():
    build, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    cases = [("scikit-learn", 1, 1), ("faiss", 1, 1), ("mask-sc", 1, 1),
             ("scikit-learn", 2, 1), ("faiss", 2, 1), ("mask-sc", 2, 1), ("mask-sc", 2, 2)]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make(folder, rows)
        results = {case: [] for case in cases}
        for _ in range(REPEATS):
            for case in cases:
                results[case].append(once(build, folder, *case))
    print(f"| program | cores | ranks | seconds (median of {REPEATS}) | min - max | iterations | inertia |\n|---|--:|--:|--:|--:|--:|--:|")
    for (name, cores, ranks), runs in results.items():
        seconds = [run["seconds"] for run in runs]
        print(f"| {name} | {cores} | {ranks} | {statistics.median(seconds):.2f} | {min(seconds):.2f} - {max(seconds):.2f} | "
              f"{runs[0]['iterations']} | {runs[0]['inertia']:.9g} |")


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        once_peer(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
