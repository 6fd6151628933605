"""Writes classical.json: small inputs of the classical baselines and what scikit-learn, scipy and numpy make of them.

    python tests/golden/classical.py   # needs numpy, scipy and scikit-learn
"""
import json
import pathlib

import numpy as np
from sklearn.decomposition import PCA

random = np.random.default_rng(23)


def numbers(x):
    return [float(f"{v:.8g}") for v in np.asarray(x).ravel()]


def expression(cells, genes, groups, scale=1.5):
    """Log-normalised values of `groups` groups of cells, about half of them zero."""
    mean = random.normal(0, scale, (groups, genes))
    x = mean[np.arange(cells) % groups] + random.normal(0, 0.7, (cells, genes))
    return np.where(x > 0, x, 0).astype(np.float32)


def by_largest_loading(pca, x):
    """Scores with the sign that makes the largest loading of each component positive."""
    loadings = pca.components_
    sign = np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(axis=1)])
    return pca.transform(x) * sign


def principal_components():
    for name, cells, genes, dimensions in [("few of many", 70, 40, 6), ("more than half of the genes", 50, 12, 8), ("fewer cells than genes", 12, 30, 4)]:
        x = expression(cells, genes, 4)
        mean, sd = x.mean(axis=0), x.std(axis=0, ddof=1)
        sd[sd == 0] = 1  # as GeneScaling
        clip = 1.8  # bites
        z = np.clip((x.astype(np.float64) - mean) / sd, -clip, clip)
        pca = PCA(dimensions, svd_solver="full").fit(z)
        yield dict(name=name, cells=cells, genes=genes, dimensions=dimensions, x=numbers(x), mean=numbers(mean), inverse_sd=numbers(1 / sd), clip=clip, components=numbers(by_largest_loading(pca, z)))


out = dict(principal_components=list(principal_components()))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
