"""scanpy's side of the benchmarks of preparation: one core, and the recipe that mask-sc's preparation follows."""
import os


def one_core():
    os.sched_setaffinity(0, {0})
    for name in ("OMP", "NUMBA", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"


def prepare(data, genes):
    """Of the `genes` most variable genes of an AnnData of counts: normalised, log-transformed, standardised, clipped."""
    import scanpy as sc

    sc.pp.filter_genes(data, min_counts=1)
    sc.pp.normalize_total(data)
    sc.pp.log1p(data)
    sc.pp.highly_variable_genes(data, n_top_genes=genes)
    data = data[:, data.var.highly_variable].copy()
    sc.pp.scale(data, max_value=10)
    return data
