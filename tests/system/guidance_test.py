"""Weak differences between types: components guide where contrastive answers show no groups. And --clustering."""
import unittest

import anndata
import numpy as np
import sklearn.metrics
from sklearn.cluster import KMeans

import support

WEAK = ["--cells", "900", "--genes", "600", "--groups", "0.4,0.3,0.2,0.1", "--de-probability", "0.3", "--de-location", "0.2",
        "--seed", "7"]


class Guidance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.weak = support.fresh("guidance", "weak.h5ad")
        cls.weak.parent.mkdir(parents=True, exist_ok=True)
        done = support.run("masksc_simulate", "--output", cls.weak, *WEAK, ranks=1)
        assert done.codes == [0], done

    def train_weak(self, name, *options, ranks=2):
        output = support.fresh("guidance", name)
        done = support.run("masksc_train", "--input", self.weak, "--labels", "group", "--output", output, *support.SMALL,
                           "--matrix", "24x24", "--patch", "6", "--sequence-epochs", "20", "--epochs", "15",
                           *options, ranks=ranks)
        self.assertEqual(done.codes, [0] * ranks, done)
        return done, support.metrics(output), output

    def test_few_cells_are_not_searched_for_groups(self):
        counts, _ = support.small_counts(cells=3)
        path, output = support.write_h5ad(support.fresh("guidance", "few.h5ad"), counts), support.fresh("guidance", "few")
        done = support.train(output, "--clusters", "2", "--epochs", "1", "--sequence-epochs", "1", data=path, labels=None,
                             ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertIn("3 cells are too few to look for groups in", done.err)
        self.assertEqual(support.metrics(output)["guided_by"], "sequence")

    def test_components_guide_where_answers_show_no_groups(self):
        done, auto, output = self.train_weak("auto")
        self.assertIn("show no groups of cells", done.err)
        self.assertEqual(auto["guided_by"], "components")
        _, sequence, _ = self.train_weak("sequence", "--guidance-target", "sequence")
        _, components, _ = self.train_weak("components", "--guidance-target", "components")
        self.assertEqual(auto["weights_hash"], components["weights_hash"])
        self.assertGreater(auto["ari"], sequence["ari"] + 0.15)
        self.assertIn("Pearson residuals of the counts are taken", done.err)
        self.assertEqual(auto["standardize"], "residuals")
        embedded = support.fresh("guidance", "embedded")
        done = support.run("masksc_embed", "--model", output / "model", "--input", self.weak, "--labels", "group", "--output",
                           embedded)
        self.assertEqual(done.codes, [0, 0], done)
        mine, theirs = (anndata.read_h5ad(folder / "result.h5ad")
                        for folder in (embedded, output))
        np.testing.assert_array_equal(mine.obsm["X_masksc"], theirs.obsm["X_masksc"])
        # The features are what the network predicts of 20 components, and the clusters those of the clearer of both.
        self.assertEqual(theirs.obsm["X_masksc"].shape[1], 20)
        for metrics, clusters_in in ((auto, "components"), (support.metrics(embedded), "features")):
            self.assertEqual((metrics["features_from"], metrics["clusters_in"]), ("components", clusters_in))
        scores = [sklearn.metrics.silhouette_score(theirs.obsm["X_masksc_pca"][:, :20], clusters)
                  for clusters in (theirs.obs["masksc"], KMeans(4, n_init=10, random_state=0).fit_predict(
                      theirs.obsm["X_masksc_pca"][:, :20]))]
        self.assertGreater(scores[0], scores[1] - 0.002)
        again = support.fresh("guidance", "again.h5ad")
        done = support.run("masksc_cluster", "--input", output / "result.h5ad", "--output", again, "--clusters", "4")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(sklearn.metrics.adjusted_rand_score(anndata.read_h5ad(again).obs["masksc_clusters"],
                                                             theirs.obs["masksc"]), 1)
        tokens = support.metrics(support.BASE)
        self.assertEqual((tokens["features_from"], tokens["clusters_in"]), ("tokens", "features"))
        _, log_values, _ = self.train_weak("log values", "--standardize", "yes")
        self.assertEqual(log_values["standardize"], "yes")
        self.assertGreater(auto["ari"], max(0.95, log_values["ari"] - 0.01))

    def test_both_guide_where_answers_show_weaker_groups(self):
        cells = support.fresh("guidance", "many types.h5ad")
        done = support.run("masksc_simulate", "--cells", "900", "--genes", "1500", "--groups",
                           "0.3,0.2,0.15,0.1,0.07,0.05,0.04,0.03,0.02,0.02,0.01,0.01", "--de-probability", "0.2",
                           "--de-location", "0.8", "--seed", "11", "--output", cells, ranks=1)
        self.assertEqual(done.codes, [0], done)
        found = {}
        for target in ("auto", "both", "sequence"):
            output = support.fresh("guidance", f"many types, {target}")
            done = support.train(output, "--matrix", "24x24", "--patch", "6", "--clusters", "12", "--sequence-epochs", "20",
                                 "--epochs", "15", "--guidance-target", target, data=cells)
            self.assertEqual(done.codes, [0, 0], done)
            self.assertEqual("both guide stage 2" in done.err, target == "auto", done)
            found[target] = support.metrics(output)
        self.assertEqual(found["auto"]["weights_hash"], found["both"]["weights_hash"])
        self.assertEqual([found[target]["guided_by"] for target in found], ["both", "both", "sequence"])
        self.assertGreater(found["auto"]["ari"], found["sequence"]["ari"])

    def test_answers_guide_where_they_show_groups(self):
        output = support.fresh("guidance", "strong")
        done = support.train(output, "--sequence-epochs", "30")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertNotIn("show no groups", done.err)

    def test_residuals_are_taken_where_their_groups_are_clearer(self):
        for name, strength, taken in (("weak", ("--de-location", "1.2"), "residuals"), ("clear", ("--de-location", "2",
                                      "--library-location", "10"), "yes")):
            cells = support.fresh("guidance", f"{name} groups.h5ad")
            done = support.run("masksc_simulate", "--output", cells, "--cells", "290", "--genes", "420", "--groups", "4",
                               "--de-probability", "0.6", "--seed", "3", *strength, ranks=1)
            self.assertEqual(done.codes, [0], done)
            output = support.fresh("guidance", f"{name} groups")
            done = support.run("masksc_train", "--input", cells, "--output", output, *support.SMALL)
            self.assertEqual(done.codes, [0, 0], done)
            self.assertIn("weaker groups of cells than residuals" if taken == "residuals" else "they are taken", done.err)
            self.assertEqual(support.metrics(output)["standardize"], taken)

    def test_a_checkpoint_of_other_guidance_is_refused(self):
        _, _, output = self.train_weak("kept", "--guidance-target", "components", "--epochs", "2")
        done = support.run("masksc_train", "--input", self.weak, "--labels", "group", "--output",
                           support.fresh("guidance", "other"), *support.SMALL, "--matrix", "24x24", "--patch", "6",
                           "--sequence-epochs", "20", "--sequence-model", output / "model", "--epochs", "2",
                           "--guidance-target", "sequence", "--resume", output / "checkpoints" / "latest")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("guidance-target", done.err)

    def test_clustering_says_what_was_merged(self):
        result = support.BASE / "result.h5ad"
        found = {}
        for kind in ("kmeans", "merged"):
            output = support.fresh("guidance", f"{kind}.h5ad")
            done = support.run("masksc_cluster", "--input", result, "--output", output, "--clusters", str(support.GROUPS),
                               "--clustering", kind)
            self.assertEqual(done.codes, [0, 0], done)
            found[kind] = anndata.read_h5ad(output).obs["masksc_clusters"]
            self.assertEqual(found[kind].nunique(), support.GROUPS)
        metrics = support.metrics(support.BASE)
        self.assertIn("merged_from", metrics)
        kept = found["kmeans"] if metrics["merged_from"] is None else found["merged"]
        self.assertEqual(anndata.read_h5ad(result).obs["masksc"].tolist(), kept.tolist())


if __name__ == "__main__":
    unittest.main()
