"""masksc_embed: new cells through a trained model."""
import json
import re
import shutil
import unittest

import anndata
import numpy as np

import support

MODEL = support.BASE / "model"


def embed(output, *arguments, ranks=1, **options):
    return support.run("masksc_embed", "--model", MODEL, "--output", output, *arguments, ranks=ranks, **options)


class Embed(unittest.TestCase):
    def test_the_cells_of_the_run_get_the_same_features(self):
        for ranks in (1, 3):
            output = support.fresh("embedded")
            done = embed(output, "--input", support.SIMULATED, "--labels", "group", ranks=ranks)
            self.assertEqual(done.codes, [0] * ranks, done)
            mine, theirs = (anndata.read_h5ad(folder / "result.h5ad") for folder in (output, support.BASE))
            for name in ("X_masksc", "X_masksc_pca"):
                np.testing.assert_array_equal(mine.obsm[name], theirs.obsm[name])
            self.assertEqual(support.metrics(output)["embedding_hash"], support.metrics(support.BASE)["embedding_hash"])
            self.assertEqual(support.metrics(output)["ari"], support.metrics(support.BASE)["ari"])
            self.assertTrue((output / "report.html").exists())
            self.assertTrue((output / "config.ini").exists())
            self.assertFalse((output / ".prepared.h5").exists())

    def test_genes_are_matched_by_name(self):
        cells = anndata.read_h5ad(support.SIMULATED)
        order = np.random.default_rng(0).permutation(cells.n_vars)
        shuffled = cells[:, order].copy()
        path = support.fresh("shuffled.h5ad")
        shuffled.write_h5ad(path)
        output = support.fresh("embedded")
        done = embed(output, "--input", path)
        self.assertEqual(done.codes, [0], done)
        theirs = anndata.read_h5ad(support.BASE / "result.h5ad")
        mine = anndata.read_h5ad(output / "result.h5ad")
        np.testing.assert_allclose(mine.obsm["X_masksc"], theirs.obsm["X_masksc"], atol=1e-5)

    def test_the_folder_of_the_run_stands_for_its_model(self):
        hashes = []
        for model in (support.BASE, MODEL):
            output = support.fresh("embedded")
            done = support.run("masksc_embed", "--model", model, "--output", output, "--input", support.SIMULATED,
                               "--clusters", "3", "--report", "no", ranks=1)
            self.assertEqual(done.codes, [0], done)
            hashes.append(support.metrics(output)["embedding_hash"])
        self.assertEqual(*hashes)

    def test_genes_are_matched_by_identifier(self):
        """A model of symbols that knows the identifiers, cells named by these; and the other way round."""
        cells = anndata.read_h5ad(support.SIMULATED)
        symbols, ids = list(cells.var_names), [f"ENSG{i:05}" for i in range(cells.n_vars)]
        named = {}
        for name, names, more in (("symbols", symbols, ids), ("ids", ids, None), ("both", ids, symbols)):
            data = cells.copy()
            data.var_names = names
            if more is not None:
                data.var["gene_ids"] = more
            named[name] = support.fresh("embed", f"{name}.h5ad")
            data.write_h5ad(named[name])
        for trained, new in (("symbols", "ids"), ("ids", "symbols"), ("symbols", "both"), ("symbols", "symbols")):
            run, output = support.fresh("embed", "run"), support.fresh("embed", "embedded")
            done = support.train(run, "--max-steps", "3", "--sequence-epochs", "1", data=named[trained])
            self.assertEqual(done.codes, [0, 0], done)
            done = support.run("masksc_embed", "--model", run / "model", "--output", output, "--report", "no",
                               "--clusters", "3", "--input", named[new], ranks=1)
            self.assertEqual(done.codes, [0], done)
            self.assertEqual("by their identifiers" in done.err, (trained, new) != ("symbols", "symbols"), done)
            mine, theirs = (anndata.read_h5ad(folder / "result.h5ad").obsm["X_masksc"] for folder in (output, run))
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
            self.assertEqual(support.metrics(output)["genes"], support.metrics(output)["genes_of_model"])

    def test_missing_genes_are_counted(self):
        cells = anndata.read_h5ad(support.SIMULATED)[:, 50:].copy()
        path = support.fresh("fewer.h5ad")
        cells.write_h5ad(path)
        output = support.fresh("embedded")
        done = embed(output, "--input", path)
        self.assertEqual(done.codes, [0], done)
        found = support.metrics(output)
        self.assertLess(found["genes"], found["genes_of_model"])
        self.assertIn(f"{found['genes']} of the model's {found['genes_of_model']}", done.err + done.out)
        self.assertNotIn("of the counts of these cells", done.err)

    @staticmethod
    def share(cells, genes):
        return np.mean(cells[:, genes].X.sum(1) / cells.X.sum(1))

    def test_a_file_of_some_genes_has_other_totals(self):
        cells = anndata.read_h5ad(support.SIMULATED)
        model = json.loads((support.BASE / "model" / "model.json").read_text())
        shared, known = model["share_of_counts"], model["expression"]["genes"]
        self.assertAlmostEqual(shared, self.share(cells, known), places=3)
        path = support.fresh("panel.h5ad")
        cells[:, cells.var_names.isin(known[:100])].copy().write_h5ad(path)
        done = embed(support.fresh("embedded"), "--input", path)
        self.assertEqual(done.codes, [0], done)
        self.assertIn(f"hold 100 % of the counts of these cells, and held {100 * shared:.0f} % in training", done.err)

    def test_labels_of_a_reference(self):
        cells = anndata.read_h5ad(support.SIMULATED)
        path = support.fresh("some.h5ad")
        cells[::3].copy().write_h5ad(path)
        output = support.fresh("embedded")
        done = embed(output, "--input", path, "--reference", support.BASE / "result.h5ad", "--reference-labels", "group",
                     ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        found = anndata.read_h5ad(output / "result.h5ad").obs
        truth = cells[::3].obs["group"].astype(str).to_numpy()
        self.assertGreater((found["masksc_label"].astype(str).to_numpy() == truth).mean(), 0.9)
        self.assertTrue(((found["masksc_confidence"] > 0) & (found["masksc_confidence"] <= 1)).all())
        self.assertEqual(found["masksc_novel"].dtype, bool)
        self.assertLess(found["masksc_novel"].mean(), 0.1)
        self.assertNotIn("transfer_accuracy", support.metrics(output))
        done = embed(output, "--input", path, "--reference", support.BASE / "result.h5ad", "--reference-labels", "group",
                     "--labels", "group", "--overwrite", ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        right = (found["masksc_label"].astype(str).to_numpy() == truth).mean()
        self.assertAlmostEqual(support.metrics(output)["transfer_accuracy"], right)


    def test_a_reference_with_few_labels(self):
        path = support.fresh("reference.h5ad")
        reference = anndata.read_h5ad(support.BASE / "result.h5ad")
        reference.obs["some"] = reference.obs["group"].where(np.arange(reference.n_obs) < 20)
        reference.write_h5ad(path)
        done = embed(support.fresh("embedded"), "--input", support.SIMULATED, "--reference", path, "--reference-labels",
                     "some")
        self.assertEqual(done.codes, [0], done)
        self.assertIn(f"{reference.n_obs - 20} of {reference.n_obs} cells of the reference have no label", done.err)


    def test_residuals_within_batches(self):
        cells = anndata.read_h5ad(support.SIMULATED)
        cells.obs["donor"] = np.where(np.arange(cells.n_obs) % 2, "a", "b")
        path = support.fresh("donors.h5ad")
        cells.write_h5ad(path)
        trained = support.fresh("residuals")
        options = ["--batch-key", "donor", "--batch-statistics", "--standardize", "residuals", "--epochs", "1"]
        done = support.train(trained, *options, data=path)
        self.assertEqual(done.codes, [0, 0], done)
        output = support.fresh("embedded")
        done = support.run("masksc_embed", "--model", trained, "--output", output, "--input", path, "--batch-key", "donor",
                           "--report", "no")
        self.assertEqual(done.codes, [0, 0], done)
        mine, theirs = (anndata.read_h5ad(folder / "result.h5ad") for folder in (output, trained))
        np.testing.assert_array_equal(mine.obsm["X_masksc"], theirs.obsm["X_masksc"])


class Refused(unittest.TestCase):
    def check(self, words, *arguments):
        output = support.fresh("embed", "refused")
        done = embed(output, *arguments)
        self.assertEqual(done.codes, [2], done)
        for word in words:
            self.assertIn(word, done.err)
        self.assertFalse((output / "result.h5ad").exists())

    def test_other_genes(self):
        cells = anndata.read_h5ad(support.SIMULATED)
        cells.var_names = [f"ENSG{i}" for i in range(cells.n_vars)]
        path = support.fresh("other.h5ad")
        cells.write_h5ad(path)
        self.check(["none of the model's", "gene", "ENSG0"], "--input", path)

    def test_the_folder_of_a_reference(self):
        done = embed(support.fresh("refused"), "--input", support.SIMULATED, "--reference", support.BASE)
        self.assertEqual(done.codes, [2], done)
        self.assertIn(f"give '{support.BASE / 'result.h5ad'}'", done.err)

    def test_a_reference_of_another_model(self):
        copy = support.fresh("other-result.h5ad")
        shutil.copy(support.BASE / "result.h5ad", copy)
        import h5py
        with h5py.File(copy, "a") as file:
            del file["uns/masksc/metrics/weights_hash"]
        self.check(["was not embedded by"], "--input", support.SIMULATED, "--reference", copy)

    def test_numbers_as_labels_of_the_reference(self):
        path = support.fresh("reference.h5ad")
        reference = anndata.read_h5ad(support.BASE / "result.h5ad")
        reference.obs["total"] = np.arange(reference.n_obs) / 7
        reference.write_h5ad(path)
        self.check(["--reference-labels 'total'", "can't be types of cells"], "--input", support.SIMULATED,
                   "--reference", path, "--reference-labels", "total")

    def test_labels_of_the_name_of_transferred_ones(self):
        path = support.fresh("labelled.h5ad")
        cells = anndata.read_h5ad(support.SIMULATED)
        cells.obs["masksc_label"] = cells.obs["group"]
        cells.write_h5ad(path)
        self.check(["--labels 'masksc_label'", "give yours another name"], "--input", path, "--labels", "masksc_label",
                   "--reference", support.BASE / "result.h5ad", "--reference-labels", "group")

    def test_an_unknown_column_of_the_reference(self):
        self.check(["--reference-labels 'groupe'", "did you mean 'group'"], "--input", support.SIMULATED, "--reference",
                   support.BASE / "result.h5ad", "--reference-labels", "groupe")

    def test_no_model(self):
        done = support.run("masksc_embed", "--model", support.BASE / "checkpoints", "--input", support.SIMULATED, "--output",
                           support.fresh("embed", "refused"), ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("holds no model", done.err)

    def test_a_model_of_a_newer_format(self):
        copy = support.fresh("newer")
        shutil.copytree(MODEL, copy)
        text = (copy / "model.json").read_text()
        (copy / "model.json").write_text(re.sub(r"mask-sc model \d", "mask-sc model 9", text))
        done = support.run("masksc_embed", "--model", copy, "--input", support.SIMULATED, "--output",
                           support.fresh("embed", "refused"), ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("mask-sc model 9", done.err)

    def test_a_model_whose_matrix_lacks_a_gene(self):
        copy = support.fresh("spoilt")
        shutil.copytree(MODEL, copy)
        model = json.loads((copy / "model.json").read_text())
        places = model["expression"]["slot_to_column"]
        places[next(i for i, column in enumerate(places) if column >= 0)] = -1
        (copy / "model.json").write_text(json.dumps(model))
        done = support.run("masksc_embed", "--model", copy, "--input", support.SIMULATED, "--output",
                           support.fresh("embed", "refused"), ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("model.json", done.err)

    def test_a_result_is_not_replaced_unasked(self):
        output = support.fresh("taken")
        self.assertEqual(embed(output, "--input", support.SIMULATED).codes, [0])
        before = (output / "metrics.json").read_bytes()
        self.assertEqual(embed(output, "--input", support.SIMULATED).codes, [2])
        self.assertEqual((output / "metrics.json").read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
