"""Simulated cells, read with anndata and scanpy."""
import unittest

import anndata
import numpy as np
import scanpy

import support

FOLDER = "simulate"


def simulate(name, *arguments, ranks=1):
    path = support.fresh(FOLDER, name)
    done = support.run("masksc_simulate", "--output", path, *arguments, ranks=ranks)
    assert set(done.codes) == {0}, done
    return anndata.read_h5ad(path)


class Simulate(unittest.TestCase):
    def test_sizes_names_and_groups(self):
        data = anndata.read_h5ad(support.SIMULATED)
        self.assertEqual(data.shape, (support.CELLS, support.GENES))
        self.assertTrue(data.obs_names.is_unique and data.var_names.is_unique)
        self.assertEqual(data.obs["group"].nunique(), support.GROUPS)
        counts = support.dense(data.X)
        self.assertTrue((counts >= 0).all() and (counts == np.round(counts)).all())

    def test_any_number_of_ranks_gives_the_same_cells(self):
        size = ["--cells", "101", "--genes", "50", "--groups", "3", "--seed", "8"]
        one = simulate("one.h5ad", *size)
        for ranks in (2, 3):
            more = simulate("more.h5ad", *size, ranks=ranks)
            np.testing.assert_array_equal(support.dense(more.X), support.dense(one.X))
            self.assertEqual(list(more.obs["group"]), list(one.obs["group"]))

    def test_seed_decides(self):
        size = ["--cells", "40", "--genes", "50", "--groups", "2"]
        first, second = simulate("first.h5ad", *size, "--seed", "1"), simulate("second.h5ad", *size, "--seed", "2")
        self.assertTrue((support.dense(first.X) != support.dense(second.X)).any())

    def test_scanpy_finds_the_groups(self):
        data = anndata.read_h5ad(support.SIMULATED)
        scanpy.pp.normalize_total(data)
        scanpy.pp.log1p(data)
        scanpy.pp.pca(data, n_comps=5)
        group, places = data.obs["group"].to_numpy(), data.obsm["X_pca"]
        centre = {g: places[group == g].mean(axis=0) for g in set(group)}
        nearest = [min(centre, key=lambda g: ((place - centre[g]) ** 2).sum()) for place in places]
        self.assertGreater(np.mean(nearest == group), 0.9)


if __name__ == "__main__":
    unittest.main()
