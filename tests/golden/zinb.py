"""Golden numbers of the zero-inflated negative binomial loss: values from scipy.stats, gradients from PyTorch, float64.

    python tests/golden/zinb.py > tests/golden/zinb.json
"""
import json

import numpy as np
import scipy.special
import scipy.stats
import torch

CELLS, GENES = 4, 7
random = np.random.default_rng(3)


def loss_by_torch(heads, counts, factors, ridge):
    mean = torch.clamp(torch.exp(heads[0]), 1e-5, 1e6) * factors[:, None]
    theta = torch.clamp(torch.nn.functional.softplus(heads[1]), 1e-4, 1e4)
    pi = torch.sigmoid(heads[2])
    log_nb = (torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)
              + theta * torch.log(theta / (theta + mean)) + counts * torch.log(mean / (theta + mean)))
    likelihood = (1 - pi) * torch.exp(log_nb) + pi * (counts == 0)
    return (-torch.log(likelihood) + ridge * pi**2).mean()


def loss_by_scipy(heads, counts, factors):
    mean = np.clip(np.exp(heads[0]), 1e-5, 1e6) * factors[:, None]
    theta = np.clip(np.logaddexp(0, heads[1]), 1e-4, 1e4)
    pi = scipy.special.expit(heads[2])
    likelihood = (1 - pi) * scipy.stats.nbinom.pmf(counts, theta, theta / (theta + mean)) + pi * (counts == 0)
    return -np.log(likelihood).mean()


cases = []
for name, ridge, whole in (("whole counts", 0.0, True), ("ridge", 1.0, True), ("fractions", 0.0, False)):
    heads = random.normal(0, 1.5, (3, CELLS, GENES))
    heads[0, 0, 0], heads[0, 0, 1], heads[1, 0, 2] = -14, -14, -12  # beyond the clamps, with and without a count
    counts = random.poisson(random.gamma(0.6, 4, (CELLS, GENES))).astype(float)
    counts[0, :3] = [0, 2, 1]
    counts[1, 0] = 60  # beyond the product
    if not whole:
        counts = np.where(counts > 0, counts + 0.25, 0)
    factors = np.array([0.5, 1.0, 2.0, 1.25])
    leaf = torch.tensor(heads, requires_grad=True)
    loss = loss_by_torch(leaf, torch.tensor(counts), torch.tensor(factors), ridge)
    loss.backward()
    if whole and ridge == 0:
        assert abs(loss.item() - loss_by_scipy(heads, counts, factors)) < 1e-10
    cases.append({"name": name, "ridge": ridge, "cells": CELLS, "genes": GENES, "factors": factors.tolist(),
                  "heads": heads.round(12).reshape(3, -1).tolist(), "counts": counts.reshape(-1).tolist(),
                  "loss": loss.item(), "gradients": leaf.grad.numpy().reshape(3, -1).tolist()})
points = [1e-4, 0.02, 0.5, 1.0, 3.7, 12.0, 500.0]
print(json.dumps({"zinb": cases, "digamma": {"x": points, "value": scipy.special.digamma(points).tolist()}}))
