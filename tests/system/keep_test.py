"""--keep-input: result.h5ad holds all that anndata reads from the input, for the cells that are left."""
import unittest
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse
from pandas.testing import assert_frame_equal

import support

FOLDER = "keep"
SHORT = ["--max-steps", "3", "--sequence-epochs", "1", "--clusters", "3"]
EMPTY = (0, 7, 8, 40)
OURS = ["X_masksc", "X_masksc_pca", "X_masksc_tsne", "X_masksc_umap"]


def rich(empty=(), kind=scipy.sparse.csr_matrix):
    """An AnnData with something of every encoding that anndata writes; the cells `empty` have no counts."""
    counts, group = support.small_counts()
    counts[list(empty)] = 0
    cells, genes = counts.shape
    random = np.random.default_rng(5)
    names = [f"cell{i}" for i in range(cells)]
    obs = pd.DataFrame(index=names)
    obs["group"] = pd.Categorical([f"type{g}" for g in group], categories=["type2", "type0", "type1", "none"])
    obs["rank"] = pd.Categorical.from_codes(random.integers(-1, 2, cells), ["low", "high"], ordered=True)
    obs["total"] = counts.sum(axis=1)
    obs["number"] = np.arange(cells)
    obs["flag"] = random.random(cells) < 0.5
    obs["text"] = [f"caf\u00e9 {i % 9}" * (i % 3) for i in range(cells)]
    obs["nullable"] = pd.array([None if i % 5 == 0 else i for i in range(cells)], dtype="Int64")
    obs["maybe"] = pd.array([None if i % 4 == 0 else i % 2 == 0 for i in range(cells)], dtype="boolean")
    obs["tiny"] = 1e-310 * np.arange(cells)
    obs["of/two"] = pd.Categorical([f"type{g}" for g in group])  # '/' nests groups
    obs["masksc"] = "of the user"
    var = pd.DataFrame({"highly_variable": random.random(genes) < 0.9, "mean": counts.mean(axis=0), "of/var": np.arange(genes),
                        "kind": pd.Categorical(["a", "b", "c"] * (genes // 3))},
                       index=[f"gene{j}" for j in range(genes)])
    data = anndata.AnnData(kind(counts), obs=obs, var=var)
    data.obs.index.name = "barcode"
    data.var.index.name = "symbol"
    data.var["symbol"] = data.var_names  # pandas lets an index be a column, too
    data.raw = data[:, :200].copy()
    pairs = scipy.sparse.random(cells, cells, 0.2, random_state=1)
    data.layers["dense"] = random.random(counts.shape)
    data.layers["rows"] = scipy.sparse.csr_matrix(counts * 2)
    data.layers["columns"] = scipy.sparse.csc_matrix(data.layers["dense"] > 0.7).astype(np.int64)
    data.obsm["X_pca"] = random.random((cells, 4)).astype(np.float32)
    data.obsm["cube"] = random.random((cells, 2, 3))
    data.obsm["sparse"] = scipy.sparse.csr_matrix(random.random((cells, 6)) > 0.5).astype(np.float64)
    data.obsm["table"] = pd.DataFrame({"x": random.random(cells), "c": pd.Categorical(group), "d/e": group}, index=names)
    data.obsm["X_masksc"] = np.zeros((cells, 2))
    data.obsp["rows"] = pairs.tocsr()
    data.obsp["columns"] = pairs.tocsc()
    data.obsp["dense"] = pairs.toarray()
    data.varm["loadings"] = random.random((genes, 3))
    data.varp["pairs"] = scipy.sparse.eye(genes, format="csr")
    data.uns["colors"] = np.array(["#ff0000", "#00ff00"])
    data.uns["nested"] = {"number": 3, "text": "here", "deeper": {"flag": True, "matrix": pairs.tocsr()},
                          "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=["0", "1"]),
                          "records": np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")]), "none": {}}
    data.uns["masksc"] = {"of": "the user"}
    return data


class KeepCase(unittest.TestCase):
    maxDiff = None

    def train(self, path, *arguments, labels=None, codes=(0, 0)):
        self.output = support.fresh(FOLDER, "output")
        done = support.train(self.output, *SHORT, *arguments, data=path, labels=labels)
        self.assertEqual(done.codes, list(codes), done)
        return done

    def write(self, data, name="input.h5ad", **options):
        path = support.fresh(FOLDER, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data.write_h5ad(path, **options)
        return path

    def result(self, **options):
        return anndata.read_h5ad(self.output / "result.h5ad", **options)

    def same(self, a, b, what):
        """Equal values and types."""
        if isinstance(b, pd.DataFrame):
            return assert_frame_equal(a, b, obj=what)
        if hasattr(b, "items"):
            self.assertEqual(sorted(a), sorted(b), what)
            for key in b:
                self.same(a[key], b[key], f"{what}/{key}")
            return None
        self.assertEqual(scipy.sparse.issparse(a) and a.format, scipy.sparse.issparse(b) and b.format, what)
        a, b = support.dense(a), support.dense(b)
        self.assertEqual(a.dtype, b.dtype, what)
        self.assertEqual(a.tolist(), b.tolist(), what)
        return None

    def check(self, expected, result):
        """`result` holds all of `expected`, and what is ours in place of what has its name."""
        left = {"obs": ["masksc"], "obsm": OURS, "uns": ["masksc"], "var": ["masksc"]}
        self.assertEqual([c for c in result.obs if c != "masksc"], [c for c in expected.obs if c != "masksc"])
        for name in ("obs", "var"):
            theirs = getattr(expected, name).drop(columns="masksc", errors="ignore")
            assert_frame_equal(getattr(result, name).drop(columns="masksc"), theirs, obj=name)
        for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
            both = [{key: value for key, value in getattr(data, name).items() if key not in left.get(name, [])}
                    for data in (result, expected)]
            self.same(*both, name)
        self.same(result.raw.X, expected.raw.X, "raw/X")
        assert_frame_equal(result.raw.var, expected.raw.var)
        self.assertEqual(result.obs["masksc"].dtype.name, "category")
        self.assertEqual(len(result.obsm["X_masksc"]), expected.n_obs)
        self.assertIn("metrics", result.uns["masksc"])
        self.assertNotIn("of", result.uns["masksc"])
        self.assertEqual(result.var["masksc"].dtype, bool)
        self.assertTrue(np.array_equal(support.dense(result.X), support.dense(expected.X)))


class Keep(KeepCase):
    def test_everything_comes_through(self):
        for kind, packing in ((scipy.sparse.csr_matrix, "gzip"), (scipy.sparse.csc_matrix, "lzf"), (np.asarray, "lzf")):
            with self.subTest(kind=kind.__name__):
                path = self.write(rich(kind=kind), compression=packing)
                done = self.train(path, "--keep-input", "--report", "yes", labels="group")
                self.assertNotIn("leaves out", done.err)
                self.check(anndata.read_h5ad(path), self.result())
        self.assertFalse((self.output / ".kept.h5").exists())

    def test_dropped_cells_are_left_out_everywhere(self):
        for options in ({}, {"compression": "gzip"}, {"compression": "lzf"}):
            with self.subTest(options=options):
                path = self.write(rich(EMPTY), **options)
                done = self.train(path, "--keep-input", labels="group")
                self.assertNotIn("leaves out", done.err)
                whole = anndata.read_h5ad(path)
                expected = whole[[i for i in range(whole.n_obs) if i not in EMPTY]].copy()
                # A view of anndata drops categories that no cell has; a file need not.
                for column in ("group", "rank", "of/two"):
                    expected.obs[column] = expected.obs[column].cat.set_categories(whole.obs[column].cat.categories)
                table = whole.obsm["table"]["c"].cat.categories
                expected.obsm["table"]["c"] = expected.obsm["table"]["c"].cat.set_categories(table)
                self.check(expected, self.result())

    def test_backed(self):
        path = self.write(rich(EMPTY))
        self.train(path, "--keep-input")
        backed = self.result(backed="r")
        self.assertEqual(backed.shape, (60 - len(EMPTY), 300))
        self.assertEqual(list(backed.obs["total"]), list(np.asarray(backed.X[:].sum(axis=1)).ravel()))
        backed.file.close()

    def test_result_is_an_input_again(self):
        self.train(self.write(rich(EMPTY)), "--keep-input", labels="group")
        again = support.fresh(FOLDER, "again.h5ad")
        (self.output / "result.h5ad").rename(again)
        self.train(again, "--keep-input", labels="group")
        self.check(anndata.read_h5ad(again), self.result())

    def test_without_it_only_ours(self):
        self.train(self.write(rich()), "--report", "yes", labels="group")
        result = self.result()
        self.assertEqual(sorted(result.obs), ["group", "masksc"])
        self.assertEqual(sorted(result.obsm), OURS)
        self.assertEqual((list(result.layers), list(result.uns), result.raw), ([], ["masksc"], None))

    def test_indices_named_as_columns_of_ours(self):
        data = rich()
        del data.obs["masksc"]
        data.obs.index.name, data.var.index.name = "masksc", "a/b"
        self.train(self.write(data), "--keep-input", labels="group")
        result = self.result()
        self.assertEqual((result.obs.index.name, result.var.index.name), (None, None))
        self.assertEqual(list(result.obs_names), list(data.obs_names))

    def test_an_index_of_gene_ids(self):
        for column in (False, True):
            with self.subTest(column=column):
                data = rich()
                data.var.index.name = "gene_ids"
                if column:
                    data.var["gene_ids"] = data.var_names
                self.train(self.write(data), "--keep-input", labels="group")
                result = self.result()
                self.assertEqual(list(result.var_names), list(data.var_names))
                self.assertEqual(list(result.var["gene_ids"]), list(data.var_names))

    def test_repeated_names(self):
        data = rich(EMPTY)
        table = data.obsm.pop("table")
        data.obs_names = [f"cell{i // 2}" for i in range(data.n_obs)]
        data.var_names = ["a"] * 3 + list(data.var_names[3:])
        data.obsm["table"] = table.set_index(data.obs_names)
        data.varm["table"] = pd.DataFrame({"y": np.arange(data.n_vars)}, index=data.var_names)
        path = self.write(data)
        self.train(path, "--keep-input")
        data.obs_names_make_unique()
        data.var_names_make_unique()
        kept = [i for i in range(data.n_obs) if i not in EMPTY]
        result = self.result()
        self.assertEqual(list(result.obs_names), list(data.obs_names[kept]))
        self.assertEqual(list(result.var_names), list(data.var_names))
        self.assertEqual(list(result.obs["number"]), kept)
        self.assertEqual(list(result.obsm["table"].index), list(result.obs_names))
        self.assertEqual(list(result.obsm["table"]["x"]), list(table["x"].iloc[kept]))
        self.assertEqual(list(result.varm["table"].index), list(result.var_names))

    def test_counts_of_a_layer(self):
        data = rich()
        data.layers["counts"] = data.X.copy()
        data.X = data.X.multiply(0.5).tocsr()
        data.uns["log1p"] = {"base": None}
        done = self.train(self.write(data), "--keep-input", "--layer", "counts")
        result = self.result()
        self.assertEqual(sorted(result.layers), sorted([*data.layers, "X"]))
        self.same(result.layers["dense"], data.layers["dense"], "layers/dense")
        self.same(result.layers["X"], data.X, "X of the input")
        self.same(result.X, data.layers["counts"], "X")
        self.assertNotIn("log1p", result.uns)
        self.assertIn("'uns/log1p' (X holds counts in the result)", done.err)

    def test_values_that_stay_logarithms(self):
        data = rich()
        data.X = data.X.log1p()
        data.uns["log1p"] = {"base": None}
        done = self.train(self.write(data), "--keep-input", "--allow-noninteger")
        self.assertIn("look like logarithms", done.err)
        self.assertIn("log1p", self.result().uns)

    def test_counts_of_raw_with_the_same_genes(self):
        data = rich()
        data.raw = data.copy()
        data.X = data.X.multiply(0.5).tocsr()
        done = self.train(self.write(data), "--keep-input", "--layer", "raw")
        self.assertNotIn("genes are not those of raw", done.err)
        result = self.result()
        self.assertEqual(sorted(result.layers), sorted([*data.layers, "X"]))
        self.same(result.layers["X"], data.X, "X of the input")
        self.same(result.X, data.raw.X, "X")
        self.same(result.varm["loadings"], data.varm["loadings"], "varm")
        self.assertEqual(list(result.var["kind"]), list(data.var["kind"]))
        self.assertIn("pairs", result.varp)

    def test_categories_that_anndata_0_7_kept_aside(self):
        data = rich(EMPTY)
        data.obsm["table"]["c"] = data.obsm["table"]["c"].cat.rename_categories(str)
        left = [i for i in range(60) if i not in EMPTY]
        columns = (("obs", "group", lambda d: d.obs, left), ("obs", "rank", lambda d: d.obs, left),
                   ("obs", "of/two", lambda d: d.obs, left), ("var", "kind", lambda d: d.var, range(300)),
                   ("raw/var", "kind", lambda d: d.raw.var, range(200)),
                   ("obsm/table", "c", lambda d: d.obsm["table"], left))
        path = self.write(data)
        with h5py.File(path, "r+") as file:
            for frame, column, _, _ in columns:
                codes, names = (file[f"{frame}/{column}/{part}"][()] for part in ("codes", "categories"))
                ordered = bool(file[f"{frame}/{column}"].attrs["ordered"])
                del file[f"{frame}/{column}"]
                aside = file.require_group(f"{frame}/__categories").create_dataset(column, data=names)
                aside.attrs["ordered"] = ordered
                file[f"{frame}/{column}"] = codes
                file[f"{frame}/{column}"].attrs["categories"] = aside.ref
        done = self.train(path, "--keep-input", labels="group")
        self.assertNotIn("leaves out", done.err)
        result = self.result()
        for _, column, frame, rows in columns:
            found, wanted = (frame(each)[column].array for each in (result, data))
            self.assertEqual(list(found.codes), [wanted.codes[i] for i in rows], column)
            self.assertEqual((list(found.categories), found.ordered), (list(wanted.categories), wanted.ordered))

    def test_categories_that_no_column_uses(self):
        path = self.write(rich())
        with h5py.File(path, "r+") as file:
            file["obs/__categories/text"] = np.array([b"a", b"b"])
        done = self.train(path, "--keep-input")
        self.assertNotIn("leaves out", done.err)
        self.assertEqual(list(self.result().obs["text"]), list(rich().obs["text"]))

    def test_labels_of_an_earlier_embedding(self):
        data = rich()
        for column in ("masksc_label", "masksc_novel", "masksc_clusters"):
            data.obs[column] = pd.Categorical(["a"] * data.n_obs)
        done = self.train(self.write(data), "--keep-input")
        self.assertIn("leaves out: 'obs/masksc_label' (of an earlier masksc_embed), 'obs/masksc_novel' (of", done.err)
        self.assertEqual([c for c in self.result().obs if c.startswith("masksc_")], ["masksc_clusters"])

    def test_of_new_cells(self):
        data = rich(EMPTY)
        path = self.write(data)
        self.train(path)
        model, self.output = self.output / "model", support.fresh(FOLDER, "embedded")
        done = support.run("masksc_embed", "--model", model, "--input", path, "--output", self.output, "--keep-input",
                           "--clusters", "3", "--report", "no")
        self.assertEqual(done.codes, [0, 0], done)
        result = self.result()
        self.same(result.layers["dense"], data.layers["dense"][[i for i in range(60) if i not in EMPTY]], "layers/dense")
        self.assertIn("nested", result.uns)
        self.assertEqual(sorted(path.name for path in self.output.iterdir()), ["config.ini", "metrics.json", "result.h5ad"])

    def test_counts_of_raw(self):
        path = self.write(rich(EMPTY))
        done = self.train(path, "--keep-input", "--layer", "raw", "--matrix", "12x12", "--patch", "4")
        for name in ("X", "layers", "var", "varm", "varp"):
            self.assertIn(f"'{name}' (its genes are not those of raw)", done.err)
        result, whole = self.result(), anndata.read_h5ad(path)
        self.assertEqual(list(result.var_names), list(whole.raw.var_names))
        self.assertEqual(list(result.var["mean"]), list(whole.raw.var["mean"]))
        self.assertEqual((list(result.layers), list(result.varp), result.raw), ([], [], None))
        self.assertIn("X_pca", result.obsm)

    def test_unknown_encodings_are_named(self):
        for empty, gone in (((), []), (EMPTY, ["'obsm/odd' (encoding-type 'mask-sc-odd')", "'obsm/short'"])):
            with self.subTest(empty=empty):
                path = self.write(rich(empty))
                with h5py.File(path, "r+") as file:
                    odd = file.create_group("obsm/odd")
                    odd.attrs["encoding-type"], odd.attrs["encoding-version"] = "mask-sc-odd", "0.1.0"
                    odd["content"] = np.arange(60)
                    file["obsm/short"] = np.arange(3)
                done = self.train(path, "--keep-input")
                for name in gone:
                    self.assertIn(name, done.err)
                self.assertEqual("leaves out" in done.err, bool(gone), done)
                with h5py.File(self.output / "result.h5ad") as file:
                    self.assertEqual("odd" in file["obsm"], not gone)
                    self.assertIn("X_pca", file["obsm"])

    def test_resumed_run_keeps_too(self):
        path = self.write(rich(EMPTY))
        self.train(path, "--keep-input", "--epochs", "1", "--max-steps", "1")
        done = support.train(self.output, *SHORT, "--keep-input", data=path, labels=None)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("nested", self.result().uns)
        done = support.train(self.output, *SHORT, data=path, labels=None)
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("keep-input = yes", done.err)


class Refused(KeepCase):
    """Before the training, and without a trace."""

    def refused(self, path, *words):
        done = self.train(path, "--keep-input", codes=(2, 2))
        for word in words:
            self.assertIn(word, done.err)
        self.assertFalse(self.output.exists())

    def test_other_inputs(self):
        counts, group = support.small_counts()
        self.refused(support.write_xy(support.fresh(FOLDER, "xy.h5"), counts, group), "no h5ad file")
        prepared = support.fresh(FOLDER, "prepared.h5")
        done = support.run("masksc_prepare", "--input", support.write_h5ad(support.fresh(FOLDER, "in.h5ad"), counts),
                           "--output", prepared, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.refused(prepared, "prepared file", "give the h5ad file itself")

    def test_ways_out_of_the_file(self):
        secret = support.fresh(FOLDER, "secret.h5")
        with h5py.File(secret, "w") as file:
            file["X"] = np.full((60, 300), 7.0)
        (support.WORK / FOLDER / "secret.bin").write_bytes(bytes(60 * 8))
        layout = h5py.VirtualLayout((60, 300), np.float64)
        layout[...] = h5py.VirtualSource(str(secret), "X", shape=(60, 300))

        def external(file):
            file.create_dataset("obsm/away", (60, 1), np.float64, external=[(str(secret.with_suffix(".bin")), 0, 480)])

        ways = {"uns/away": lambda file: file.__setitem__("uns/away", h5py.ExternalLink(str(secret), "/X")),
                "uns/deep/away": lambda file: file.__setitem__("uns/deep/away", h5py.ExternalLink(str(secret), "/")),
                "layers/away": lambda file: file.create_virtual_dataset("layers/away", layout),
                "obsm/away": external}
        for name, make in ways.items():
            for empty in ((), EMPTY):
                with self.subTest(name=name, empty=empty):
                    path = self.write(rich(empty))
                    with h5py.File(path, "r+") as file:
                        make(file)
                    self.refused(path, f"'{name}'", "does not follow")

    def test_links_within_the_file_are_followed_but_not_in_circles(self):
        path = self.write(rich())
        with h5py.File(path, "r+") as file:
            file["uns/soft"] = h5py.SoftLink("/obsm/X_pca")
            file["uns/nowhere"] = h5py.SoftLink("/gone")
        self.train(path, "--keep-input")
        with h5py.File(path, "r+") as file, h5py.File(self.output / "result.h5ad") as result:
            self.assertTrue(np.array_equal(result["uns/soft"], file["obsm/X_pca"]))
            self.assertNotIn("nowhere", result["uns"])
            file["uns/loop"] = file["uns"]
        self.refused(path, "groups within groups without end")


if __name__ == "__main__":
    unittest.main()
