"""masksc_cluster: other clusters of cells that are embedded already."""
import re
import unittest

import anndata
import numpy as np
from sklearn.metrics import adjusted_rand_score

import support

RESULT = support.BASE / "result.h5ad"


def cluster(output, *arguments, ranks=2, data=RESULT):
    return support.run("masksc_cluster", "--input", data, "--output", output, *arguments, ranks=ranks)


class Cluster(unittest.TestCase):
    def test_the_settings_of_the_run_give_its_clusters(self):
        for ranks, threads in ((1, 3), (2, 1)):
            output = support.fresh("cluster", "again.h5ad")
            done = cluster(output, "--clusters", str(support.GROUPS), "--labels", "group", "--threads", threads, ranks=ranks)
            self.assertEqual(done.codes, [0] * ranks, done)
            found = anndata.read_h5ad(output)
            self.assertEqual(found.obs["masksc_clusters"].tolist(), found.obs["masksc"].tolist())
            self.assertIn(f"{support.metrics(support.BASE)['ari']:.3f}", done.out)
            before = anndata.read_h5ad(RESULT)
            self.assertEqual(list(found.obsm), list(before.obsm))
            np.testing.assert_array_equal(found.X.toarray(), before.X.toarray())
            self.assertEqual(found.uns["masksc"]["metrics"]["weights_hash"], before.uns["masksc"]["metrics"]["weights_hash"])
            self.assertEqual([p.name for p in output.parent.glob("again*")], ["again.h5ad"])

    def test_leiden_and_other_features(self):
        output = support.fresh("cluster", "again.h5ad")
        done = cluster(output, "--method", "leiden", "--resolution", "0.3", "--features", "X_masksc_umap", "--column", "of_map",
                       "--labels", "group")
        self.assertEqual(done.codes, [0, 0], done)
        found = anndata.read_h5ad(output).obs
        self.assertGreater(found["of_map"].nunique(), 1)
        score = adjusted_rand_score(found["group"], found["of_map"])
        self.assertIn(f"{score:.3f}", done.out)

    def test_large_types_stay_whole_and_components_judge(self):
        """K-means cuts a large type: by default it is merged. The components named tell the second silhouette."""
        random = np.random.default_rng(0)
        types = np.repeat([0, 1, 2, 3, 4], [1000, 30, 30, 30, 30])
        centres = np.array([[0, 0], [15, 0], [20, 0], [15, 5], [20, 5]])
        spread = random.uniform(-1, 1, (len(types), 2)) * np.where(types == 0, 3.0, 0.5)[:, None]
        data = anndata.AnnData(1 + random.poisson(1, (len(types), 3)).astype(np.float32))
        data.obs["type"] = [str(t) for t in types]
        data.obsm["X_own"] = centres[types] + spread
        data.obsm["X_pca"] = data.obsm["X_own"]
        data.obsm["X_noise"] = random.normal(size=(len(types), 2))
        path = support.fresh("features.h5ad")
        data.write_h5ad(path)
        clusters, judged = {}, {}
        for kind, more in (("auto", []), ("none", ["--components", "none"]), ("noise", ["--components", "X_noise"]),
                           ("kmeans", ["--clustering", "kmeans"])):
            output = support.fresh("cluster", "again.h5ad")
            done = cluster(output, "--features", "X_own", "--clusters", "5", *more, data=path)
            self.assertEqual(done.codes, [0, 0], done)
            clusters[kind] = anndata.read_h5ad(output).obs["masksc_clusters"].tolist()
            told = re.search(r"silhouette +\S+ +\((\S+) in principal components\)", done.out)
            self.assertEqual(told is not None, kind != "none", done.out)
            judged[kind] = float(told[1]) if told else None
            self.assertEqual("cuts types" in done.err, kind != "kmeans", done.err)
        self.assertGreater(adjusted_rand_score(types, clusters["auto"]), 0.9)
        self.assertEqual(clusters["auto"], clusters["none"])
        self.assertEqual(clusters["auto"], clusters["noise"])
        self.assertLess(adjusted_rand_score(types, clusters["kmeans"]), 0.5)
        self.assertGreater(judged["auto"], 0.5)
        self.assertLess(judged["noise"], 0.1)

    def test_a_column_of_that_name_is_replaced(self):
        output = support.fresh("cluster", "again.h5ad")
        self.assertEqual(cluster(output, "--clusters", "2", "--column", "masksc").codes, [0, 0])
        found = anndata.read_h5ad(output).obs
        self.assertEqual(found["masksc"].nunique(), 2)
        self.assertEqual(list(found.columns).count("masksc"), 1)


class Refused(unittest.TestCase):
    def check(self, words, *arguments, **options):
        output = support.fresh("refused.h5ad")
        done = cluster(output, *arguments, **options)
        self.assertEqual(done.codes, [2, 2], done)
        for word in words:
            self.assertIn(word, done.err)
        self.assertEqual(list(output.parent.glob("refused.h5ad*")), [])

    def test_unknown_features(self):
        self.check(["X_maskc", "did you mean 'X_masksc'"], "--features", "X_maskc")

    def test_unknown_components(self):
        self.check(["X_masksc_pc", "did you mean 'X_masksc_pca'"], "--components", "X_masksc_pc")

    def test_more_clusters_than_cells(self):
        self.check(["10000"], "--clusters", "10000")

    def test_leiden_with_a_number(self):
        self.check(["--resolution"], "--method", "leiden", "--clusters", "3")

    def test_a_file_without_features(self):
        self.check(["obsm"], data=support.BASE / "model" / "masked_autoencoder.h5")

    def test_an_output_that_is_there(self):
        output = support.fresh("taken.h5ad")
        output.write_text("precious")
        self.assertEqual(cluster(output).codes, [2, 2])
        self.assertEqual(output.read_text(), "precious")


if __name__ == "__main__":
    unittest.main()
