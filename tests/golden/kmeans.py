"""Writes kmeans.json: points, starts and what scikit-learn's Lloyd makes of them, from the given start and from restarts.

    python tests/golden/kmeans.py   # needs numpy and scikit-learn
"""
import json
import pathlib

import numpy as np
from sklearn.cluster import KMeans

random = np.random.default_rng(11)


def cases():
    centres = random.normal(0, 5, (6, 4))
    blobs = (centres[random.integers(0, 6, 150)] + random.normal(0, 1, (150, 4))).astype(np.float32)
    yield "blobs", blobs, blobs[:6], 300
    yield "blobs far from the origin", blobs + np.float32(1000), blobs[10:16] + np.float32(1000), 300
    noise = random.normal(0, 1, (200, 3)).astype(np.float32)
    yield "noise", noise, noise[5:18], 300
    yield "noise of small scale", noise * np.float32(1e-6), noise[5:18] * np.float32(1e-6), 300
    lost = blobs[:5].copy()
    lost[3] = 500  # nearest to nothing: relocated to the farthest point
    yield "a start that is nearest to nothing", blobs, lost, 300
    yield "a start that is nearest to nothing, one iteration", blobs, lost, 1
    yield "one cluster", noise, noise[:1], 300


out = []
for name, x, start, iterations in cases():
    x, start = x.astype(np.float32), start.astype(np.float32)
    one = KMeans(len(start), init=start.astype(np.float64), n_init=1, max_iter=iterations, algorithm="lloyd").fit(x.astype(np.float64))
    best = KMeans(len(start), n_init=10, random_state=0).fit(x.astype(np.float64))
    out.append(
        dict(name=name, columns=x.shape[1], clusters=len(start), x=x.ravel().tolist(), start=start.ravel().tolist(), max_iterations=iterations, labels=one.labels_.tolist(),
             centres=one.cluster_centers_.ravel().tolist(), inertia=one.inertia_, iterations=one.n_iter_, best_inertia=best.inertia_)
    )
    print(name, one.inertia_, one.n_iter_, best.inertia_)
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
