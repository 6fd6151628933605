"""Writes classical.json: small inputs of the classical baselines and what scikit-learn, scipy and numpy make of them.

    python tests/golden/classical.py   # needs numpy, scipy and scikit-learn
"""
import json
import pathlib

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

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


class StartedMixture(GaussianMixture):
    """Begins with the given labels in place of K-means'."""

    start = None

    def _initialize_parameters(self, x, random_state, xp=None):
        self._initialize(x, np.eye(self.n_components)[self.start])


def mixtures():
    means = random.normal(0, 1.5, (3, 4))
    shapes = random.normal(0, 1, (3, 4, 4))
    group = np.arange(140) % 7 % 3
    x = np.stack([means[g] + shapes[g] @ random.normal(0, 1, 4) for g in group]).astype(np.float32)
    start = np.where(random.random(140) < 0.3, random.integers(0, 3, 140), group)
    for kind in ["full", "diag", "tied"]:
        mixture = StartedMixture(3, covariance_type=kind)
        mixture.start = start
        mixture.fit(x.astype(np.float64))
        yield dict(kind=kind, columns=4, components=3, x=numbers(x), start=start.tolist(), labels=mixture.predict(x.astype(np.float64)).tolist(), log_likelihood=mixture.score(x.astype(np.float64)),
                   bic=mixture.bic(x.astype(np.float64)), iterations=mixture.n_iter_)
        print(kind, mixture.score(x), mixture.n_iter_)


out = dict(principal_components=list(principal_components()), mixtures=list(mixtures()))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
