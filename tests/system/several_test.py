"""Several inputs as one: genes joined by name, batches carried to the result, as anndata.concat has it."""
import unittest

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.metrics import normalized_mutual_info_score

import support

FOLDER = "several"
SHORT = ["--max-steps", "3", "--sequence-epochs", "1", "--clusters", "3"]


def part(name, cells, first_gene, genes, form, names=None, seed=1, donor=None):
    """Cells named cell0, ... with genes gene<first_gene> on, in falling order in every second file."""
    counts, group = support.small_counts(cells, genes, seed=seed)
    path = support.fresh(FOLDER, name)
    var = [f"gene{j}" for j in range(first_gene, first_gene + genes)]
    if seed % 2:
        var.reverse()
    obs = pd.DataFrame({"group": pd.Categorical([f"type{g}" for g in group])},
                       index=names or [f"cell{i}" for i in range(cells)])
    if donor:
        obs["donor"] = [f"{donor}{i % 2}" for i in range(cells)]
    ids = pd.DataFrame({"gene_ids": [f"{name[0]}-{gene}" for gene in var]}, index=var)
    anndata.AnnData(form(counts), obs=obs, var=ids).write_h5ad(path)
    return path


def prepared(path):
    """What masksc_prepare wrote, as an AnnData."""
    def texts(group):
        start, text = group["start"][:], bytes(group["bytes"][:])
        return [text[a:b].decode() for a, b in zip(start[:-1], start[1:])]

    with h5py.File(path) as file:
        cells, genes = texts(file["cell_names"]), texts(file["gene_names"])
        obs = pd.DataFrame(index=cells)
        for group in ("labels", "batches"):
            if group in file:
                obs[group] = np.array(texts(file[group]["names"]))[file[group]["codes"][:]]
        var = pd.DataFrame({"gene_ids": texts(file["gene_ids"])} if "gene_ids" in file else {}, index=genes)
        return anndata.AnnData(support.prepared_counts(path), obs=obs, var=var), dict(file.attrs)


def several(name, *files, arguments=(), ranks=1):
    target = support.fresh(FOLDER, name)
    inputs = [word for file in files for word in ("--input", file)]
    done = support.run("masksc_prepare", *inputs, "--output", target, *arguments, ranks=ranks)
    return target, done


class Joined(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = [part("a.h5ad", 40, 0, 300, scipy.sparse.csr_matrix, seed=1, donor="x"),
                     part("b.h5ad", 50, 20, 320, scipy.sparse.csc_matrix, seed=2, donor="y"),
                     part("c.h5ad", 30, 10, 290, np.asarray, seed=3, donor="x")]

    def test_as_anndata_concat(self):
        parts = {path.stem: anndata.read_h5ad(path) for path in self.files}
        for join in ("inner", "outer"):
            with self.subTest(join=join):
                target, done = several("joined.h5", *self.files, arguments=["--join", join, "--labels", "group"])
                self.assertEqual(done.codes, [0], done)
                got, attributes = prepared(target)
                want = anndata.concat(parts, join=join, label="batch", index_unique="-", fill_value=0)
                self.assertEqual(list(got.obs_names), list(want.obs_names))
                self.assertEqual(set(got.var_names), set(want.var_names))
                np.testing.assert_array_equal(support.dense(got[:, want.var_names].X), support.dense(want.X))
                self.assertEqual(list(got.obs["batches"]), list(want.obs["batch"]))
                self.assertEqual(list(got.obs["labels"]), list(want.obs["group"]))
                self.assertEqual(attributes["batch_column"], "batch")
                first = [next(p for p in parts if gene in parts[p].var_names) for gene in got.var_names]
                self.assertEqual(list(got.var["gene_ids"]), [f"{p}-{gene}" for p, gene in zip(first, got.var_names)])
        self.assertEqual(list(got.var_names[:300]), list(parts["a"].var_names), "in the order of the files")

    def test_cells_keep_names_that_do_not_repeat(self):
        other = part("other.h5ad", 20, 0, 300, scipy.sparse.csr_matrix, names=[f"new{i}" for i in range(20)], seed=5)
        target, done = several("names.h5", self.files[0], other)
        self.assertEqual(done.codes, [0], done)
        self.assertEqual(list(prepared(target)[0].obs_names), [f"cell{i}" for i in range(40)] +
                         [f"new{i}" for i in range(20)])

    def test_a_list_of_files(self):
        listed = support.fresh(FOLDER, "files.txt")
        listed.write_text("# all\n" + "".join(f"{path.name}\n" for path in self.files))
        by_list, done = several("by_list.h5", f"@{listed}")
        self.assertEqual(done.codes, [0], done)
        by_name, done = several("by_name.h5", *self.files)
        self.assertEqual(done.codes, [0], done)
        self.assertEqual(by_list.read_bytes(), by_name.read_bytes())

    def test_batches_from_obs(self):
        target, done = several("donors.h5", *self.files, arguments=["--batch-key", "donor"])
        self.assertEqual(done.codes, [0], done)
        got, attributes = prepared(target)
        self.assertEqual(attributes["batch_column"], "donor")
        self.assertEqual(list(got.obs["batches"]), [d for f in self.files for d in anndata.read_h5ad(f).obs["donor"]])

    def test_what_does_not_fit_is_told(self):
        ids = support.fresh(FOLDER, "ids.h5ad")
        anndata.AnnData(scipy.sparse.csr_matrix(np.ones((5, 40), np.float32)),
                        var=pd.DataFrame(index=[f"ENSG{i}" for i in range(40)])).write_h5ad(ids)
        plain = part("plain.h5ad", 10, 0, 300, np.asarray, seed=7)
        for arguments, words in ((["--input", ids], ["gene299", "ENSG0", "share no gene"]),
                                 (["--input", plain, "--batch-key", "donor"], ["1 of 2", "plain.h5ad"]),
                                 (["--input", ids, "--labels", "group"], ["ids.h5ad", "group"]),
                                 (["--input", self.files[0]], ["twice", "a.h5ad"])):
            with self.subTest(words=words):
                target, done = several("bad.h5", self.files[0], arguments=arguments, ranks=2)
                self.assertEqual(done.codes, [2, 2], done)
                for word in words:
                    self.assertIn(word, done.err)
                self.assertFalse(target.exists())


    def test_an_inner_join_that_loses_most_genes_is_told(self):
        other = part("far.h5ad", 10, 260, 600, np.asarray, seed=8)
        for join, told in (("inner", True), ("outer", False)):
            _, done = several("join.h5", self.files[0], other, arguments=["--join", join])
            self.assertEqual(done.codes, [0], done)
            self.assertEqual("only 40 genes are in all inputs" in done.err and "--join outer" in done.err, told, done)


class Trained(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = [part("d.h5ad", 60, 0, 300, scipy.sparse.csr_matrix, seed=11),
                     part("e.h5ad", 50, 20, 300, scipy.sparse.csr_matrix, seed=12)]
        cls.inputs = ["--input", cls.files[1]]

    def train(self, name, *arguments, **options):
        output = support.fresh(FOLDER, name)
        done = support.train(output, *SHORT, *arguments, data=self.files[0], **options)
        self.assertEqual(set(done.codes), {0}, done)
        return output

    def test_the_batch_is_in_the_result(self):
        output = self.train("batch", *self.inputs)
        result = anndata.read_h5ad(output / "result.h5ad")
        self.assertEqual(list(result.obs["batch"]), ["d"] * 60 + ["e"] * 50)
        want = anndata.concat({p.stem: anndata.read_h5ad(p) for p in self.files}, index_unique="-")
        self.assertEqual(list(result.obs_names), list(want.obs_names))
        np.testing.assert_array_equal(support.dense(result[:, want.var_names].X), support.dense(want.X))
        self.assertEqual(list(result.obs["group"]), list(want.obs["group"]))
        target, done = several("whole.h5", *self.files, arguments=["--labels", "group"])
        self.assertEqual(done.codes, [0], done)
        other = support.fresh(FOLDER, "through")
        done = support.train(other, *SHORT, data=target)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(other)["embedding_hash"], support.metrics(output)["embedding_hash"])
        self.assertEqual(list(anndata.read_h5ad(other / "result.h5ad").obs["batch"]), list(result.obs["batch"]))
        again = support.train(output, *SHORT, *self.inputs, data=self.files[0])
        self.assertEqual(again.codes, [0, 0], again)
        self.assertIn("finished", again.err)
        fewer = support.train(output, *SHORT, data=self.files[0])
        self.assertEqual(fewer.codes, [2, 2], "another input")

    def test_labels_that_lie_below_the_batches(self):
        data = anndata.read_h5ad(self.files[0])
        data.obs["batch/type"] = data.obs["group"]
        path = support.fresh(FOLDER, "below.h5ad")
        data.write_h5ad(path)
        other = support.fresh(FOLDER, "below_too.h5ad")
        data.write_h5ad(other)
        output = support.fresh(FOLDER, "below")
        done = support.train(output, *SHORT, "--input", other, data=path, labels="batch/type")
        self.assertEqual(done.codes, [0, 0], done)
        columns = anndata.read_h5ad(output / "result.h5ad").obs
        self.assertEqual(list(columns["batch"]), ["below"] * data.n_obs + ["below_too"] * data.n_obs)
        self.assertIn(list(data.obs["group"]) * 2, [list(columns[name]) for name in columns])

    def test_statistics_of_each_batch(self):
        plain = self.train("plain", *self.inputs)
        output = self.train("statistics", *self.inputs, "--batch-statistics", "--report", "yes")
        page = support.page_data(output / "report.html")
        result = anndata.read_h5ad(output / "result.h5ad")
        agreement = normalized_mutual_info_score(result.obs["batch"], result.obs["masksc"])
        self.assertAlmostEqual(support.metrics(output)["batch_nmi"], agreement)
        self.assertIn(f"{agreement:.3f}", [card["value"] for card in page["summary"] if "batches" in card["name"]])
        shares = page["batches"]
        self.assertEqual((shares["column"], shares["labels"], [sum(row) for row in shares["counts"]]),
                         ("batch", ["d", "e"], [60, 50]))
        alone = self.train("alone", *self.inputs, "--batch-statistics", ranks=1)
        self.assertNotEqual(support.metrics(output)["embedding_hash"], support.metrics(plain)["embedding_hash"])
        np.testing.assert_allclose(*(anndata.read_h5ad(o / "result.h5ad").obsm["X_masksc"] for o in (output, alone)),
                                   atol=5e-3)  # rounding, which stage 1 amplifies
        new = support.fresh(FOLDER, "embedded")
        done = support.run("masksc_embed", "--model", output / "model", "--input", self.files[0], *self.inputs,
                           "--output", new, "--report", "no", "--clusters", "3", ranks=3)
        self.assertEqual(done.codes, [0] * 3, done)
        self.assertEqual(support.metrics(new)["embedding_hash"], support.metrics(output)["embedding_hash"])
        result = anndata.read_h5ad(new / "result.h5ad")
        self.assertEqual(list(result.obs["batch"]), ["d"] * 60 + ["e"] * 50)

    def test_statistics_need_batches(self):
        output = support.fresh(FOLDER, "none")
        done = support.train(output, *SHORT, "--batch-statistics", data=self.files[0])
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("--batch-key", done.err)

    def test_what_can_be_no_batches(self):
        data = anndata.read_h5ad(self.files[0])
        data.obs["barcode"] = list(data.obs_names)
        data.obs["lane"] = ["few" if i < 4 else "many" for i in range(data.n_obs)]
        path = support.fresh(FOLDER, "lanes.h5ad")
        data.write_h5ad(path)
        done = support.train(support.fresh(FOLDER, "barcodes"), *SHORT, "--batch-key", "barcode", data=path)
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("60 different values of 60 cells can't be batches", done.err)
        done = support.train(support.fresh(FOLDER, "lanes"), *SHORT, "--batch-key", "lane", "--batch-statistics", data=path)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("1 of the 2 batches 'lane' have fewer than 10 cells", done.err)

    def test_keep_input_keeps_obs_as_concat_does(self):
        """Columns of every kind, a cell without counts, and a column that one file lacks."""
        paths, random = [], np.random.default_rng(9)
        for name, path in zip("fg", self.files):
            data = anndata.read_h5ad(path)
            cells = data.n_obs
            data.obs["whole"] = np.arange(cells) * 10**10
            data.obs["score"] = random.normal(size=cells) if name == "f" else np.arange(cells)
            data.obs["flag"] = random.random(cells) < 0.5
            data.obs["donor"] = pd.Categorical([f"{name}{i % 3}" for i in range(cells)])
            data.obs["barcode"] = [f"{name}-{i}" for i in range(cells)]
            data.obs["maybe"] = pd.array([None if i % 4 == 0 else i for i in range(cells)], dtype="Int64")
            data.obs["batch"] = "of the user"
            data.obs["noted"] = "" if name == "f" else "here"
            data.obs[f"only_{name}"] = 1
            data.obsm["X_pca"] = random.random((cells, 2))
            counts = data.X.toarray()
            counts[3] = 0
            data.X = scipy.sparse.csr_matrix(counts)
            paths.append(support.fresh(FOLDER, f"{name}.h5ad"))
            data.write_h5ad(paths[-1])
        output = support.fresh(FOLDER, "kept")
        done = support.train(output, *SHORT, "--input", paths[1], "--keep-input", data=paths[0])
        self.assertEqual(done.codes, [0, 0], done)
        for part in ("'obs/only_f' (not in all inputs)", "'obs/only_g' (not in all inputs)",
                     "'obsm' (of several inputs obs alone is kept)", "with --batch-key batch it is yours"):
            self.assertIn(part, done.err)
        want = anndata.concat([anndata.read_h5ad(path) for path in paths]).obs
        want = want.drop(want.index[[3, 63]])
        got = anndata.read_h5ad(output / "result.h5ad").obs
        self.assertEqual(set(got), {"masksc", "batch", "group", "whole", "score", "flag", "donor", "barcode", "maybe",
                                    "noted"})
        self.assertEqual(list(got["batch"]), ["f"] * 59 + ["g"] * 49)
        for column in ("whole", "score", "flag"):
            self.assertEqual(got[column].dtype, want[column].dtype, column)
            np.testing.assert_array_equal(got[column], want[column])
        for column in ("group", "donor", "barcode", "noted"):
            self.assertEqual(list(got[column].astype(str)), list(want[column].astype(str)), column)
        self.assertEqual(got["donor"].dtype.name, "category")
        np.testing.assert_array_equal(got["maybe"], want["maybe"].astype(float))


if __name__ == "__main__":
    unittest.main()
