"""Writes metrics.json: ARI, NMI and silhouettes of scikit-learn, accuracies by scipy's matching, for small examples.

    python tests/golden/metrics.py   # needs numpy, scikit-learn and scipy
"""
import json
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples
from sklearn.metrics.cluster import contingency_matrix

random = np.random.default_rng(7)


def labellings():
    truth = random.integers(0, 6, 200)
    noisy = np.where(random.random(200) < 0.3, random.integers(0, 9, 200), truth)
    large = random.integers(0, 12, 3000)
    yield "noisy", truth, noisy
    yield "unrelated", large, random.integers(0, 5, 3000)
    yield "refined", truth, truth * 2 + random.integers(0, 2, 200)
    yield "renamed", truth, (truth * 5 + 2) % 6
    yield "negative and sparse labels", truth * 1000 - 2000, noisy - 3
    yield "one cluster against many", np.zeros(50, int), np.arange(50) % 4
    yield "one cluster against one", np.zeros(9, int), np.ones(9, int)
    yield "all apart against all apart", np.arange(9), np.arange(9)[::-1]
    yield "all apart against one", np.arange(9), np.zeros(9, int)
    yield "worse than chance", np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    yield "one cell", np.zeros(1, int), np.ones(1, int)
    yield "no cells", np.zeros(0, int), np.zeros(0, int)


def accuracy(a, b):
    if len(a) == 0:
        return 0.0
    table = contingency_matrix(a, b)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(a))


def points():
    centres = random.normal(0, 4, (4, 3))
    labels = random.integers(0, 4, 60)
    blobs = (centres[labels] + random.normal(0, 1, (60, 3))).astype(np.float32)
    yield "blobs", blobs, labels
    yield "random labels", blobs, random.integers(0, 5, 60)
    singles = labels.copy()
    singles[[3, 17]] = [7, 9]
    yield "clusters of one cell", blobs, singles
    yield "many clusters", blobs[:20], np.r_[np.arange(19), 0]
    grid = np.array([[0, 0], [0, 1], [8, 8], [8, 9], [20, 0]], np.float32)
    yield "grid", grid, np.array([5, 5, -1, -1, 2])
    same = np.array([[1, 2], [1, 2], [3, 4], [3, 4], [5, 6]], np.float32)
    yield "equal points", same, np.array([0, 0, 1, 1, 1])
    yield "clusters on one point", np.ones((4, 2), np.float32), np.array([0, 0, 1, 1])


out = {"agreement": [], "silhouette": []}
for name, a, b in labellings():
    out["agreement"].append(
        dict(name=name, a=a.tolist(), b=b.tolist(), ari=float(adjusted_rand_score(a, b)), nmi=float(normalized_mutual_info_score(a, b)),
             accuracy=accuracy(a, b))
    )
for name, x, labels in points():
    samples = silhouette_samples(x.astype(np.float64), labels)
    out["silhouette"].append(
        dict(name=name, columns=x.shape[1], x=x.ravel().tolist(), labels=labels.tolist(), samples=samples.tolist(), mean=float(samples.mean()))
    )
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
