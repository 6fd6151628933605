"""Every file of a finished run, read back with the readers that its users have."""
import configparser
import json
import re
import unittest

import anndata
import numpy as np
import scanpy
import sklearn.metrics
from sklearn.decomposition import PCA

import support

METRICS = {"ari", "nmi", "silhouette", "silhouette_pca", "clusters", "cells", "genes", "ranks", "seed", "seconds", "cells_per_second",
           "peak_memory_bytes", "peak_gpu_memory_bytes", "guided_by", "features_from", "clusters_in",
           "weights_hash", "embedding_hash", "version"}
STEP = {"stage", "epoch", "step", "loss", "learning_rate", "gradient_norm", "cells_per_second"}
PARTS = ("data", "forward", "backward", "exposed_communication", "update")
EVENTS = {"begin", "start", "resumed", "checkpoint", "stop", "warning", "end", "epoch", "rewound"}


class Folder(unittest.TestCase):
    def test_holds_what_the_contract_names_and_no_leftovers(self):
        names = {path.name for path in support.BASE.iterdir()}
        self.assertEqual(names, {"result.h5ad", "metrics.json", "log.jsonl", "config.ini", "model", "checkpoints", "ranks",
                                 "report.html"})

    def test_files_with_data_are_whole_and_named_once(self):
        self.assertTrue(any((support.BASE / "model").iterdir()))
        leftovers = [p for p in support.BASE.rglob("*") if re.search(r"(tmp|part|staging)", p.name)]
        self.assertEqual(leftovers, [])


class ResultFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result = anndata.read_h5ad(support.BASE / "result.h5ad")
        cls.source = anndata.read_h5ad(support.SIMULATED)

    def test_names_are_those_of_the_input(self):
        self.assertEqual(list(self.result.obs_names), list(self.source.obs_names))
        self.assertTrue(set(self.result.var_names) <= set(self.source.var_names))

    def test_clusters_are_a_categorical(self):
        clusters = self.result.obs["masksc"]
        self.assertEqual(clusters.dtype.name, "category")
        self.assertEqual(clusters.nunique(), support.GROUPS)
        self.assertFalse(clusters.isna().any())

    def test_embedding_is_float32_of_the_models_width(self):
        embedding = self.result.obsm["X_masksc"]
        self.assertEqual(embedding.dtype, np.float32)
        self.assertEqual(embedding.shape, (support.CELLS, 32))
        self.assertTrue(np.isfinite(embedding).all())
        self.assertTrue((embedding.std(axis=0) > 0).any())

    def test_components_are_those_of_scanpy(self):
        output = support.fresh("result", "logs")
        done = support.train(output, "--standardize", "yes", "--sequence-epochs", "1", "--epochs", "1")
        self.assertEqual(done.codes, [0, 0], done)
        result = anndata.read_h5ad(output / "result.h5ad")
        data = result.copy()
        scanpy.pp.normalize_total(data)
        scanpy.pp.log1p(data)
        data = data[:, data.var["masksc"]].copy()
        scanpy.pp.scale(data, max_value=10)
        expected = PCA(50, svd_solver="full").fit_transform(data.X.astype(np.float64))
        found = result.obsm["X_masksc_pca"].astype(np.float64)
        self.assertEqual(found.shape, expected.shape)
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
        np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.01)
        for component in range(support.GROUPS - 1):  # those that have a variance of their own
            agreement = np.corrcoef(found[:, component], expected[:, component])[0, 1]
            self.assertGreater(abs(agreement), 0.99, component)

    def test_label_column_is_carried_over(self):
        self.assertEqual(list(self.result.obs["group"].astype(str)), list(self.source.obs["group"].astype(str)))

    def test_var_flags_the_genes_used(self):
        flags = [c for c in self.result.var.columns if self.result.var[c].dtype == bool]
        self.assertIn("masksc", " ".join(flags))
        used = self.result.var[next(c for c in flags if "masksc" in c)]
        self.assertEqual(used.sum(), 16 * 16)

    def test_uns_holds_configuration_and_metrics(self):
        kept = self.result.uns["masksc"]
        self.assertAlmostEqual(float(kept["metrics"]["ari"]), support.metrics(support.BASE)["ari"], places=12)
        configuration = next(v for k, v in kept.items() if k.startswith("config"))
        self.assertIn("mask-ratio", " ".join(configuration) if isinstance(configuration, dict) else configuration)

    def test_scanpy_works_on_it_unchanged(self):
        data = self.result.copy()
        # (gauss: the default method compiles for half a minute)
        scanpy.pp.neighbors(data, use_rep="X_masksc", n_neighbors=10, method="gauss", transformer="sklearn")
        self.assertEqual(data.obsp["connectivities"].shape, (support.CELLS, support.CELLS))
        scanpy.get.obs_df(data, ["masksc", "group"])
        data.write_h5ad(support.fresh("again.h5ad"))


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.metrics = support.metrics(support.BASE)
        cls.result = anndata.read_h5ad(support.BASE / "result.h5ad")

    def test_has_the_keys_of_the_contract(self):
        self.assertEqual(METRICS - set(self.metrics), set())
        self.assertEqual((self.metrics["clusters"], self.metrics["cells"], self.metrics["ranks"]),
                         (support.GROUPS, support.CELLS, 2))
        self.assertEqual((self.metrics["seed"], self.metrics["genes"]), (0, 16 * 16))
        self.assertGreater(self.metrics["cells_per_second"], 0)

    def test_flop_are_those_of_the_plan(self):
        done = support.run("masksc_train", "--plan", "--json", *support.without(support.SMALL, ["--clusters"]), ranks=1)
        flop = json.loads(done.out)["flop_per_cell"]
        training = self.metrics["training"]
        seconds = sum(training[part] for part in PARTS)
        cells = self.metrics["epochs"] * support.CELLS / 2  # of a rank
        self.assertAlmostEqual(training["tflops"] * 1e12 * seconds / (flop * cells), 1, places=6)
        if training["device"] is None:  # on CPUs
            self.assertIsNone(training["fraction_of_peak"])
            self.assertIsNone(self.metrics["peak_gpu_memory_bytes"])

    def test_seconds_by_part_of_a_step_sum_to_the_training(self):
        parts = {name: self.metrics["training"][name] for name in PARTS}
        self.assertTrue(all(seconds > 0 for seconds in parts.values()), parts)
        self.assertLess(sum(parts.values()), self.metrics["seconds"]["train"])

    def test_seconds_by_stage_sum_to_the_total(self):
        seconds = dict(self.metrics["seconds"])
        total = seconds.pop("total")
        self.assertLessEqual({"sequence", "train", "embed", "cluster"}, set(seconds))
        self.assertLessEqual(sum(seconds.values()), total * 1.01 + 0.01)

    def test_agree_with_scikit_learn(self):
        truth, found = self.result.obs["group"].astype(str), self.result.obs["masksc"].astype(str)
        embedding = self.result.obsm["X_masksc"].astype(np.float64)
        components = self.result.obsm["X_masksc_pca"].astype(np.float64)
        expected = {"ari": sklearn.metrics.adjusted_rand_score(truth, found),
                    "nmi": sklearn.metrics.normalized_mutual_info_score(truth, found),
                    "silhouette": sklearn.metrics.silhouette_score(embedding, found),
                    "silhouette_pca": sklearn.metrics.silhouette_score(components, found)}
        for name, value in expected.items():
            self.assertAlmostEqual(self.metrics[name], value, delta=1e-6, msg=name)

    def test_clusters_the_simulated_cells(self):
        self.assertGreater(self.metrics["ari"], 0.5)

    def test_without_labels_says_null(self):
        output = support.fresh("unlabelled")
        done = support.train(output, labels=None)
        self.assertEqual(done.codes, [0, 0], done)
        metrics = support.metrics(output)
        self.assertIsNone(metrics["ari"])
        self.assertIsNone(metrics["nmi"])
        self.assertGreater(metrics["silhouette"], -1)
        self.assertEqual(metrics["embedding_hash"], support.metrics(support.BASE)["embedding_hash"])
        self.assertNotIn("group", anndata.read_h5ad(output / "result.h5ad").obs)


class Log(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines = support.log_lines(support.BASE)

    def test_every_line_is_a_step_or_an_event_of_a_known_stage(self):
        for line in self.lines:
            self.assertIn(line["stage"], {"prepare", "sequence", "train", "embed", "cluster"}, line)
            if "event" in line:
                self.assertIn(line["event"], EVENTS, line)
                self.assertIn("step", line)
            else:
                self.assertEqual(STEP - set(line), set(), line)

    def test_every_step_is_there_counted_from_one_in_each_stage(self):
        for stage in ("sequence", "train"):
            numbers = [line["step"] for line in self.lines if line["stage"] == stage and "loss" in line]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), stage)
        self.assertEqual(len(support.steps(support.BASE)), 4 * support.STEPS_PER_EPOCH)

    def test_every_stage_starts_and_ends(self):
        for stage in ("sequence", "train", "embed", "cluster"):
            events = [line["event"] for line in self.lines if line["stage"] == stage and "event" in line]
            self.assertEqual((events[0], events[-1]), ("start", "end"), stage)

    def test_training_learns(self):
        losses = [line["loss"] for line in support.steps(support.BASE)]
        self.assertTrue(np.isfinite(losses).all())
        self.assertLess(np.mean(losses[-6:]), np.mean(losses[:6]))


class Configuration(unittest.TestCase):
    def test_is_resolved_and_holds_no_files(self):
        parser = configparser.ConfigParser()
        parser.read_string("[all]\n" + "\n".join(line for line in (support.BASE / "config.ini").read_text().splitlines()
                                                 if not line.startswith("[")))
        options = dict(parser["all"])
        self.assertEqual({"input", "output", "labels"} & set(options), set())
        self.assertEqual((options["dim"], options["batch-size"], options["seed"]), ("32", "50", "0"))

    def test_run_again_gives_the_same_bits(self):
        output = support.fresh("from-config")
        done = support.train(output, "--config", support.BASE / "config.ini", small=False)
        self.assertEqual(done.codes, [0, 0], done)
        expected, got = support.metrics(support.BASE), support.metrics(output)
        for name in ("weights_hash", "embedding_hash", "ari", "silhouette"):
            self.assertEqual(got[name], expected[name], name)


if __name__ == "__main__":
    unittest.main()
