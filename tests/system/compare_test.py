"""masksc_compare: a table of methods that scikit-learn agrees with, carried on where it was stopped."""
import csv
import json
import unittest

import anndata
import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

import support

METHODS = "pca-kmeans,kmeans,mask-sc"
RECIPE = [*support.without(support.SMALL, ["--clusters"]), "--threads", "1"]


def compare(output, *arguments, ranks=2):
    return support.run("masksc_compare", "--input", support.SIMULATED, "--labels", "group", "--output", output,
                       *support.without(RECIPE, arguments), *arguments, ranks=ranks)


def table(output):
    return json.loads((output / "comparison.json").read_text())


def scores(output):
    """The results of every point, without what a clock or the memory of the process says."""
    return {(point["method"], point["seed"]): {name: value for name, value in point["result"].items()
                                               if name not in ("seconds", "peak_memory_bytes")}
            for point in table(output)["points"]}


class Comparison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = support.fresh("compare", "table")
        cls.done = compare(cls.output, "--methods", METHODS, "--seeds", "2")

    def test_one_row_a_method(self):
        self.assertEqual(self.done.codes, [0, 0], self.done)
        with open(self.output / "comparison.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["method"] for row in rows], METHODS.split(","))
        for row, full in zip(rows, table(self.output)["methods"]):
            self.assertEqual((row["seeds"], row["status"]), ("2", "done"))
            points = [point["result"] for point in table(self.output)["points"] if point["method"] == row["method"]]
            for name in ("ari", "nmi", "silhouette", "silhouette_pca", "accuracy", "ari_auto", "seconds"):
                values = [point[name] for point in points]
                self.assertAlmostEqual(float(row[name]), np.mean(values), places=9)
                self.assertAlmostEqual(float(row[name + "_sd"]), np.std(values, ddof=1), places=9)
                self.assertEqual(float(row[name]), full[name])
            self.assertEqual(float(row["clusters"]), support.GROUPS)
            self.assertEqual(row["clusters_in"] + row["clusters_in_auto"] != "", row["method"] == "mask-sc")
            self.assertGreater(float(row["peak_memory_bytes"]), 1e6)
        text = (self.output / "comparison.md").read_text()
        self.assertEqual(self.done.out, text)
        self.assertIn("run 6 of 6 done: ", self.done.err)
        for method in METHODS.split(","):
            self.assertIn(f"| `{method}` |", text)

    def test_its_page_has_what_the_table_has(self):
        page = support.page_data(self.output / "report.html")
        self.assertIn(str(support.SIMULATED), page["subtitle"])
        self.assertIn("labels group", page["subtitle"])
        self.assertIn("masksc_compare", page["command"])
        self.assertEqual(page["comparison"], table(self.output)["methods"])

    def test_a_source_for_scrna_nmf(self):
        other = support.fresh("nmf-source.h5ad")
        made = support.run("masksc_simulate", "--cells", "200", "--genes", str(support.GENES), "--seed", "9", "--output",
                           other, ranks=1)
        self.assertEqual(made.codes, [0], made)
        found = {}
        for name, options in (("half", []), ("source", ["--nmf-source", other])):
            output = support.fresh("compare", f"nmf-{name}")
            done = compare(output, "--methods", "scrna-nmf", *options, ranks=1)
            self.assertEqual(done.codes, [0], done)
            found[name] = scores(output)
            self.assertEqual([p.name for p in output.glob(".*.h5")], [])
        self.assertNotEqual(found["half"], found["source"])
        done = compare(output, "--methods", "scrna-nmf", ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("nmf source", done.err)

    def test_figures(self):
        folder = support.fresh("compare_figures")
        done = support.run("masksc_report", self.output, "--figures", "svg", "--output", folder, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertEqual(sorted(f.name for f in folder.iterdir()), ["figure1_methods.svg", "figure4_cells.svg",
                                                                "figure4_cells_umap.svg"])
        cells = (folder / "figure4_cells.svg").read_text()
        for method in METHODS.split(","):
            self.assertIn(f">{method}</text>", (folder / "figure1_methods.svg").read_text())
            self.assertIn(f">{method}</text>", cells)
        # Every panel is coloured by label: one legend for all.
        self.assertEqual(cells.count("<circle"), len(METHODS.split(",")) * support.CELLS + support.GROUPS)

    def test_scores_as_scikit_learn(self):
        for method, features, given in (("pca-kmeans", "X_features", "cluster"), ("mask-sc", "X_masksc", None)):
            folder = self.output / "points" / f"{method}_seed-1"
            data = anndata.read_h5ad(folder / "result.h5ad")
            result = next(point["result"] for point in table(self.output)["points"]
                          if (point["method"], point["seed"]) == (method, 1))
            # The run of mask-sc itself clusters with the same K-means.
            clusters = data.obs[given or "masksc"]
            truth = anndata.read_h5ad(support.SIMULATED).obs["group"]
            self.assertAlmostEqual(result["ari"], adjusted_rand_score(truth, clusters), places=9)
            self.assertAlmostEqual(result["nmi"], normalized_mutual_info_score(truth, clusters), places=9)
            self.assertAlmostEqual(result["silhouette"], silhouette_score(data.obsm[features], clusters), places=4)

    def test_the_same_on_one_rank(self):
        output = support.fresh("compare", "alone")
        self.assertEqual(compare(output, "--methods", METHODS, "--seeds", "2", ranks=1).codes, [0])
        self.assertEqual(scores(output), scores(self.output))

    def test_what_is_done_is_not_done_again(self):
        before = {path: path.stat().st_mtime_ns for path in (self.output / "points").glob("*.json")}
        self.assertEqual(len(before), 6)
        done = compare(self.output, "--methods", METHODS + ",gmm", "--seeds", "2")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual({path: path.stat().st_mtime_ns for path in before}, before)
        self.assertIn("6 of 8 runs are there already", done.err)
        self.assertEqual(len(table(self.output)["methods"]), 4)
        fewer = compare(self.output, "--methods", "gmm", "--seeds", "3")
        self.assertEqual(fewer.codes, [0, 0], fewer)
        self.assertIn("6 results of earlier calls are in the tables too", fewer.err)
        rows = {row["method"]: row["seeds"] for row in table(self.output)["methods"]}
        self.assertEqual(rows, {"gmm": 3, **dict.fromkeys(METHODS.split(","), 2)})
        self.assertEqual(table(self.output)["seeds"], [0, 1, 2])
        self.assertIn("| seeds |", fewer.out)
        for methods in (METHODS, METHODS + ",gmm", "gmm"):  # what was typed for the rows
            self.assertRegex(fewer.out, rf"\n    mpirun -np 2 masksc_compare .*--methods {methods} --seeds")
        other = compare(self.output, "--methods", "gmm", "--seeds", "3", "--epochs", "3")  # a matter of mask-sc alone
        self.assertEqual(other.codes, [0, 0], other)
        self.assertIn("2 results of other settings, which the tables leave out (mask-sc_seed-0, mask-sc_seed-1)", other.err)
        self.assertEqual({row["method"] for row in table(self.output)["methods"]},
                         {"gmm", *METHODS.split(",")} - {"mask-sc"})

    def test_other_settings_are_refused(self):
        done = compare(self.output, "--methods", METHODS, "--seeds", "2", "--matrix", "12x12")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("matrix = 16x16, now it is 12x12; ", done.err)
        self.assertIn("--overwrite", done.err)

    def test_other_programs_leave_it_alone(self):
        before = (self.output / "report.html").read_bytes()
        for done in (support.train(self.output, "--overwrite"),
                     support.run("masksc_sweep", "--input", support.SIMULATED, "--output", self.output, "--sweep",
                                 "dim=16,32")):
            self.assertEqual(done.codes, [2, 2], done)
            self.assertIn("holds a comparison; choose another --output", done.err)
        self.assertEqual((self.output / "report.html").read_bytes(), before)

    def test_its_page_shows_no_genes(self):
        done = support.run("masksc_report", self.output, "--report-genes", "Gene7", ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("is a comparison, whose page shows no cells", done.err)
        done = support.run("masksc_report", f"{self.output}/points/kmeans_seed-0/", ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn(f"the page is that of the comparison: '{self.output}'", done.err)

    def test_without_labels_only_the_estimated_number(self):
        output = support.fresh("compare", "unlabelled")
        done = support.run("masksc_compare", "--input", support.SIMULATED, "--output", output, *RECIPE, "--methods",
                           "kmeans", ranks=1)
        self.assertEqual(done.codes, [0], done)
        row = table(output)["methods"][0]
        self.assertIsNone(row["ari"])
        self.assertIsNone(row["clusters"])
        self.assertIsNone(row["clusters_auto_sd"])  # one seed
        self.assertGreaterEqual(row["clusters_auto"], 1)
        self.assertIn("| method | silhouette auto | silhouette (PCA) auto | clusters auto |", done.out)


class Methods(unittest.TestCase):
    def test_unknown_and_repeated_names(self):
        for methods, words in (("kmeens", ["kmeens", "did you mean 'kmeans'"]), ("kmeans,kmeans", ["twice"]),
                               ("", ["--methods"])):
            done = compare(support.fresh("compare", "wrong"), "--methods", methods)
            self.assertEqual(done.codes, [2, 2], done)
            for word in words:
                self.assertIn(word, done.err)

    def test_listed(self):
        done = support.run("masksc_compare", "--list", ranks=1)
        self.assertEqual(done.codes, [0], done)
        names = [line.split()[0] for line in done.out.splitlines()]
        for name in ("pca-kmeans", "pca-leiden", "residual-kmeans", "residual-leiden", "kmeans", "gmm", "cidr", "soup",
                     "scrna-nmf", "dca", "scdeepcluster", "scziDesk", "contrastive-sc", "scmae", "mask-sc",
                     "mask-sc-paper"):
            self.assertIn(name, names)


if __name__ == "__main__":
    unittest.main()
