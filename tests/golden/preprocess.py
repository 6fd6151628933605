"""Writes preprocess.json: what scanpy 1.11 makes of the real data, and leaf orders of scipy's average linkage.

    python preprocess.py ../../../shared/data > preprocess.json

Made with scanpy 1.11.5, numpy 2.4.6, pandas 2.3.3, scipy 1.17.1. Each data set is prepared twice, from dense and from
sparse counts; the script stops if scanpy's own choice of genes depends on that.
"""

import json
import sys
import warnings
from pathlib import Path

import anndata
import h5py
import numpy as np
import scanpy as sc
import scipy.cluster.hierarchy as hierarchy
import scipy.sparse
import scipy.spatial.distance

DATA = {"worm_neuron_cell": [4096], "10X_PBMC_top2000": [1936, 2000], "mouse_bladder_cell": [4096]}
SAMPLES = 60


def prepared(counts, genes, sparse):
    data = anndata.AnnData(scipy.sparse.csr_matrix(counts) if sparse else counts.copy())
    sc.pp.filter_genes(data, min_counts=1)
    totals = np.asarray(data.X.sum(1)).ravel()
    sc.pp.normalize_total(data)
    sc.pp.log1p(data)
    sc.pp.highly_variable_genes(data, n_top_genes=genes)
    return data, float(np.median(totals))


def gaps(ascending):
    return [int(v) for v in np.diff(ascending, prepend=0)]


def golden_of(path, genes):
    with h5py.File(path) as file:
        counts = np.array(file["X"], dtype=np.float32)
    dense, median = prepared(counts, genes, sparse=False)
    sparse, _ = prepared(counts, genes, sparse=True)
    assert (dense.var.highly_variable.values == sparse.var.highly_variable.values).all()
    index = dense.var_names.astype(int).values
    chosen = index[dense.var.highly_variable.values]
    subset = dense[:, dense.var.highly_variable].copy()
    logs = np.asarray(subset.X).copy()
    sc.pp.scale(subset, max_value=10)
    random = np.random.default_rng(0)
    cells = random.integers(0, counts.shape[0], SAMPLES)
    columns = random.integers(0, len(chosen), SAMPLES)
    nonzero = np.argwhere(logs > 0)
    picked = nonzero[random.integers(0, len(nonzero), SAMPLES)]
    cells, columns = np.append(cells, picked[:, 0]), np.append(columns, picked[:, 1])
    largest = np.argwhere(subset.X == 10)[:5]  # clipped
    cells, columns = np.append(cells, largest[:, 0]), np.append(columns, largest[:, 1])
    some = np.sort(random.choice(dense.n_vars, SAMPLES, replace=False))
    return {
        "top": genes,
        "median": median,
        "gene_gaps": gaps(chosen),
        "dispersion_genes": index[some].tolist(),
        "dispersions": [None if np.isnan(v) else v for v in dense.var.dispersions_norm.values[some].tolist()],
        "cells": cells.tolist(),
        "columns": columns.tolist(),
        "logs": logs[cells, columns].tolist(),
        "scaled": np.asarray(subset.X)[cells, columns].tolist(),
    }


def leaves():
    """Distances 1 - correlation of random log counts, scipy's leaf order and its clusters."""
    random = np.random.default_rng(1)
    cells, genes, programs = 60, 40, 5
    activity = random.gamma(1, 2, (cells, programs))
    counts = random.poisson(activity[:, random.integers(0, programs, genes)])
    distances = scipy.spatial.distance.pdist(np.log1p(counts).astype(np.float32).T.astype(float), "correlation")
    tree = hierarchy.linkage(distances, "average")
    clusters = {k: hierarchy.fcluster(tree, k, "maxclust").tolist() for k in (1, 2, 5, 12, 40)}
    return {"counts": counts.tolist(), "order": hierarchy.leaves_list(tree).tolist(), "clusters": clusters,
            "first_distances": distances[:39].tolist()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    result = {"leaves": leaves(), "data": {}}
    for name, tops in DATA.items():
        for top in tops:
            result["data"][f"{name}.{top}"] = golden_of(folder / f"{name}.h5", top)
    print(json.dumps(result, separators=(",", ":")))
