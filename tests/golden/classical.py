"""Writes classical.json: small inputs of the classical baselines and what scikit-learn, scipy and numpy make of them.

    python tests/golden/classical.py   # needs numpy, scipy and scikit-learn
"""
import json
import pathlib

import numpy as np
from scipy.cluster import hierarchy
from scipy.optimize import curve_fit, nnls
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.decomposition._nmf import _initialize_nmf
from sklearn.metrics import calinski_harabasz_score
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
    for name, cells, genes, dimensions in [("few of many", 140, 90, 6), ("more than half of the genes", 50, 12, 8), ("fewer cells than genes", 12, 30, 4)]:
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


def ward():
    x = (random.normal(0, 3, (4, 3))[np.arange(60) % 4] + random.normal(0, 1, (60, 3))).astype(np.float32)
    tree = hierarchy.linkage(x.astype(np.float64), "ward")
    cuts = {str(k): hierarchy.fcluster(tree, k, "maxclust").tolist() for k in [1, 2, 5, 17, 60]}
    index = [0] + [calinski_harabasz_score(x, hierarchy.fcluster(tree, k, "maxclust")) for k in range(2, 13)]
    yield dict(columns=3, x=numbers(x), heights=numbers(tree[:, 2]), cuts=cuts, calinski_harabasz=numbers(index))


def principal_coordinates():
    for n in [12, 110]:  # all singular values at once; Lanczos
        d = squareform(pdist(random.normal(0, [4, 3, 2, 0.2, 0.2], (n, 5)))) ** 1.1  # not Euclidean: some eigenvalues are negative
        centring = np.eye(n) - 1 / n
        values, vectors = np.linalg.eigh(-0.5 * centring @ d**2 @ centring)
        top = values.argsort()[::-1][:3]
        vectors = vectors[:, top] * np.sqrt(values[top])
        vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), range(3)])
        yield dict(items=n, distances=numbers(pdist_of(d)), eigenvalues=numbers(values[top]), coordinates=numbers(vectors))


def pdist_of(d):
    return squareform(d, checks=False)


def epanechnikov(values, x):
    """R's density(values, kernel="epanechnikov") at x, without its binning."""
    n = len(values)
    low = min(values.std(ddof=1), np.subtract(*np.percentile(values, [75, 25])) / 1.34)
    width = 0.9 * (low if low > 0 else values.std(ddof=1)) * n**-0.2
    share = (x[:, None] - values) / (width * np.sqrt(5))
    return np.where(np.abs(share) <= 1, 1 - share**2, 0).sum(axis=1), width


def cidr():
    """The dense formulas of CIDR for counts of 40 cells, written out gene by gene."""
    cells, genes = 40, 90
    mean = np.exp(random.normal(1, 1.3, (2, genes)))[np.arange(cells) % 2]
    counts = random.poisson(random.gamma(2, mean / 2)).astype(float)
    totals = counts.sum(axis=1)
    tags = np.log2(counts / totals[:, None] * 1e6 + 1).astype(np.float32).astype(np.float64)
    thresholds = []
    for cell in range(cells):
        low, high = np.log2(np.array([3, 8]) / totals[cell] * 1e6 + 1)
        grid = np.linspace(high, tags[cell].max() + 3 * epanechnikov(tags[cell], np.zeros(1))[1], 1024)
        mode = grid[epanechnikov(tags[cell], grid)[0].argmax()]
        grid = np.linspace(low, mode, 1024)
        thresholds.append(grid[epanechnikov(tags[cell], grid)[0].argmin()])
    thresholds = np.clip(thresholds, *np.quantile(thresholds, [0.1, 0.9]))
    candidate = tags < thresholds[:, None]
    usable = ~candidate.all(axis=0)
    rates = candidate.mean(axis=0)[usable]
    levels = np.array([tags[~candidate[:, g], g].mean() for g in np.flatnonzero(usable)])
    (slope, middle), _ = curve_fit(lambda u, a, b: 1 / (1 + np.exp(a * (u - b))), levels, rates, p0=[1, round(np.median(levels))])
    squared = np.zeros((cells, cells))
    for i in range(cells):
        for j in range(cells):
            counted = (~candidate[i] & ~candidate[j]) | (np.maximum(tags[i], tags[j]) > middle)
            squared[i, j] = ((tags[i] - tags[j]) ** 2)[counted].sum()
    print("cidr", slope, middle, candidate.mean(), (tags > 0).mean())
    yield dict(columns=genes, x=numbers(counts), thresholds=numbers(thresholds), levels=numbers(levels), rates=numbers(rates), slope=slope, middle=middle, squared=numbers(pdist_of(squared)))


def nmf():
    cells, genes, components = 40, 25, 3
    x = expression(cells, genes, 3).astype(np.float64)
    w, h = _initialize_nmf(x, components, init="nndsvd", random_state=0)
    start = w, h
    w, h = np.abs(random.normal(0.5, 0.3, (cells, components))), np.abs(random.normal(0.5, 0.3, (components, genes)))
    for alpha, tolerance in [(0.0, 1e-3), (0.8, 1e-3)]:
        # scikit-learn multiplies the penalties of one factor by the length of the other side.
        model = NMF(components, init="custom", solver="cd", tol=tolerance, max_iter=4000, alpha_W=alpha / genes, alpha_H=alpha / cells, l1_ratio=0.75)
        found = model.fit_transform(x, W=w.copy(), H=h.copy())
        weights = [nnls(model.components_.T, row)[0] for row in x]
        print("nmf", alpha, model.n_iter_, np.linalg.norm(x - found @ model.components_))
        yield dict(columns=genes, components=components, x=numbers(x), w=numbers(w), h=numbers(h.T), alpha=alpha, tolerance=tolerance, iterations=model.n_iter_, found_w=numbers(found),
                   found_h=numbers(model.components_.T), transferred=numbers(weights), start_w=numbers(start[0]), start_h=numbers(start[1].T))


def soup():
    """SOUP's formulas in numpy; the clusters of the pure cells are K-means', in which well separated groups leave no choice."""
    cells, genes, clusters = 60, 12, 3
    mixing = np.eye(3)[np.arange(cells) % 3]
    mixing[40:] = random.dirichlet([1, 1, 1], cells - 40)
    x = (mixing @ np.abs(random.normal(3, 2, (3, genes))) + random.normal(0, 0.1, (cells, genes))).astype(np.float32).astype(np.float64)
    centred = x - x.mean(axis=0)
    similarity = np.abs(centred @ centred.T)
    np.fill_diagonal(similarity, 0)
    largest = similarity.max(axis=1)
    neighbours = similarity.argsort(axis=1)[:, ::-1][:, : round(0.1 * cells)]
    purity = np.array([np.mean(similarity[i, near] / largest[near]) for i, near in enumerate(neighbours)])
    pure = np.sort(purity.argsort()[::-1][: cells // 2])
    label = KMeans(clusters, n_init=10, random_state=0).fit_predict(x[pure])
    left = np.linalg.svd(x, full_matrices=False)[0][:, :clusters]
    theta = left @ np.linalg.lstsq(left[pure], np.eye(clusters)[label], rcond=None)[0]
    membership = np.maximum(theta, 0)
    membership /= membership.sum(axis=1, keepdims=True)
    yield dict(columns=genes, clusters=clusters, x=numbers(x), purity=numbers(purity), pure=pure.tolist(), membership=numbers(membership))


out = dict(ward=list(ward()), principal_coordinates=list(principal_coordinates()), cidr=list(cidr()), nmf=list(nmf()), soup=list(soup()), principal_components=list(principal_components()), mixtures=list(mixtures()))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
