"""masksc_cluster: other clusters of cells that are embedded already."""
import re
import shutil
import unittest
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.metrics import adjusted_rand_score

import support

RESULT = support.BASE / "result.h5ad"


def cluster(output, *arguments, ranks=2, data=RESULT):
    return support.run("masksc_cluster", "--input", data, "--output", output, *arguments, ranks=ranks)


def contents(path):
    """Every array and attribute of an HDF5 file by (name, "") and (name, key)."""
    found = {}
    with h5py.File(path) as file:
        def take(name, item):
            found[name, ""] = item[()] if isinstance(item, h5py.Dataset) else "group"
            found.update({(name, key): value for key, value in item.attrs.items()})
        file.visititems(take)
        found.update({("/", key): value for key, value in file.attrs.items()})
    return found


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
        done = cluster(output, "--clusters", "2", "--column", "masksc")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("obs['masksc'] of", done.err)
        self.assertIn("the new clusters take its place", done.err)
        found = anndata.read_h5ad(output).obs
        self.assertEqual(found["masksc"].nunique(), 2)
        self.assertEqual(list(found.columns).count("masksc"), 1)

    def test_how_they_were_made_is_kept(self):
        output, again = support.fresh("cluster", "one.h5ad"), support.fresh("cluster", "two.h5ad")
        self.assertEqual(cluster(output, "--clusters", "2", "--labels", "group", "--column", "two").codes, [0, 0])
        done = cluster(again, "--method", "leiden", "--resolution", "0.3", "--column", "communities", "--seed", "4",
                       ranks=1, data=output)
        self.assertEqual(done.codes, [0], done)
        found = anndata.read_h5ad(again)
        made = found.uns["masksc_cluster"]
        self.assertEqual(set(made), {"two", "communities"})
        self.assertEqual((made["two"]["options"]["clusters"], made["two"]["options"]["labels"]), ("2", "group"))
        self.assertEqual((made["two"]["ranks"], made["communities"]["ranks"]), (2, 1))
        options = made["communities"]["options"]
        self.assertEqual((options["method"], options["resolution"], options["seed"]), ("leiden", "0.3", "4"))
        self.assertAlmostEqual(made["two"]["metrics"]["ari"], adjusted_rand_score(found.obs["group"], found.obs["two"]))
        self.assertIn("metrics", found.uns["masksc"])

    def test_labels_that_say_little(self):
        data = anndata.read_h5ad(RESULT)
        data.obs["some"] = data.obs["group"].where(np.arange(data.n_obs) % 3 > 0)
        data.obs["text"] = data.obs["some"].astype(str)
        data.obs["one"] = "all"
        data.obs["nans"] = "nan"
        data.obs["id"] = [f"cell {i}" for i in range(data.n_obs)]
        data.obs["none"] = pd.Categorical([None] * data.n_obs, categories=["a"])
        path = support.fresh("cluster", "labelled.h5ad")
        data.write_h5ad(path)
        without = f"{(data.n_obs + 2) // 3} of {data.n_obs} cells have none; ARI and NMI are of the others"
        for column, code, more, words in (
                ("some", 0, [], without), ("text", 0, [], without),
                ("one", 2, [], "all cells have the same one"),
                ("one", 0, ["--clusters", "3"], "ARI and NMI say nothing"),
                ("id", 2, ["--clusters", "3"], "can't be types of cells"),
                ("one", 0, ["--method", "leiden"], "ARI and NMI say nothing"),
                ("group", 0, ["--column", "group"], "obs['group'] of the result will hold the new clusters"),
                ("none", 2, [], "has a label there"), ("nans", 2, [], "has a label there")):
            done = cluster(support.fresh("cluster", "again.h5ad"), "--labels", column, *more, data=path)
            self.assertEqual(done.codes, [code] * 2, done)
            self.assertIn(words, done.err)
        done = cluster(support.fresh("cluster", "again.h5ad"), "--labels", "masksc", "--column", "other", data=path)
        self.assertNotIn("will hold the new clusters", done.err)

    def test_all_else_stays_as_it_was_whatever_x_holds(self):
        random = np.random.default_rng(1)
        cells, genes = 60, 7
        own = np.repeat(np.eye(3), cells // 3, axis=0) * 9 + random.normal(size=(cells, 3))
        for kind, X in (("scaled", random.normal(size=(cells, genes))), ("none", None),
                        ("columns", scipy.sparse.random(cells, genes, 0.3, format="csc", random_state=2))):
            data = anndata.AnnData(X, obs=pd.DataFrame({"type": pd.Categorical(list("abc") * (cells // 3))}, index=[f"c{i}" for i in range(cells)]),
                                   var=pd.DataFrame({"mean": np.arange(genes) / 3.0}, index=[f"g{i}" for i in range(genes)]))
            data.obs["n"] = np.arange(cells)
            data.obs["of/two"] = np.arange(cells) * 1e-310
            data.raw = anndata.AnnData(random.normal(size=(cells, 9)))
            data.layers["log"] = scipy.sparse.random(cells, genes, 0.5, format="csr", random_state=3)
            data.obsm.update({"X_own": own, "frame": data.obs[["n", "type"]].copy()})
            data.varm["loadings"] = random.normal(size=(genes, 2))
            data.obsp["near"] = scipy.sparse.random(cells, cells, 0.1, format="csr", random_state=4)
            data.uns["notes"] = {"who": "us", "numbers": [1, 2], "flag": True}
            path, output = support.fresh("cluster", "given.h5ad"), support.fresh("cluster", "again.h5ad")
            data.write_h5ad(path)
            done = cluster(output, "--features", "X_own", "--clusters", "3", data=path)
            self.assertEqual(done.codes, [0, 0], done)
            found = anndata.read_h5ad(output)
            self.assertEqual(list(found.obs), ["type", "n", "of/two", "masksc_clusters"], kind)
            self.assertEqual(found.obs["masksc_clusters"].value_counts().tolist(), [cells // 3] * 3)
            self.assertEqual(found.obs["n"].tolist(), list(range(cells)))
            before, after = contents(path), contents(output)
            for name in before:
                if name != ("obs", "column-order"):
                    np.testing.assert_array_equal(before[name], after[name], err_msg=f"{kind} {name}")
            self.assertEqual({n[0].split("/")[1] for n in after if n not in before}, {"masksc_clusters", "masksc_cluster"})

    def test_categories_that_anndata_0_7_kept_aside(self):
        path, output = support.fresh("cluster", "old.h5ad"), support.fresh("cluster", "again.h5ad")
        with h5py.File(path, "w") as file:
            for frame, count in (("obs", 6), ("var", 2), ("raw/var", 2), ("obsm/table", 6), ("uns/table", 2)):
                group = file.create_group(frame)
                group.attrs.update({"_index": "index", "encoding-type": "dataframe", "encoding-version": "0.1.0",
                                    "column-order": np.array(["type"], dtype=h5py.string_dtype())})
                names = [f"{'cell' if count == 6 else 'row'}{i}" for i in range(count)]
                group["index"] = np.array(names, dtype=h5py.string_dtype())
                group["__categories/type"] = np.array(["a", "b"], dtype=h5py.string_dtype())
                group["type"] = np.arange(count, dtype=np.int8) % 2
                group["type"].attrs["categories"] = group["__categories/type"].ref
            file["X"] = file["raw/X"] = np.zeros((6, 2), dtype=np.float32)
            file["obsm/X_own"] = np.repeat([[0.0, 1], [9, 8]], 3, axis=0) + np.arange(6)[:, None] / 10
        done = cluster(output, "--features", "X_own", "--clusters", "2", "--labels", "type", data=path)
        self.assertEqual(done.codes, [0, 0], done)
        with warnings.catch_warnings(action="ignore"):  # of the old format
            found = anndata.read_h5ad(output)
        self.assertEqual(found.obs["type"].tolist(), list("ababab"))
        frames = (found.var, found.raw.var, found.uns["table"], found.obsm["table"])
        for frame, types in zip(frames, ("ab", "ab", "ab", "ababab")):
            self.assertEqual(frame["type"].tolist(), list(types))
        self.assertEqual(found.obs["masksc_clusters"].nunique(), 2)


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
        self.check(["no h5ad file"], data=support.BASE / "model" / "masked_autoencoder.h5")
        path = support.fresh("featureless.h5ad")
        anndata.AnnData(np.ones((4, 2), dtype=np.float32)).write_h5ad(path)
        self.check(["obsm['X_masksc'] is not in"], data=path)

    def test_the_folder_of_a_run(self):
        self.check([f"give '{RESULT}'"], data=support.BASE)

    def test_a_column_that_hdf5_would_cut(self):
        self.check(["--column 'a/b'"], "--column", "a/b", "--clusters", "2")

    def test_features_that_are_no_dense_matrix(self):
        data = anndata.read_h5ad(RESULT)
        data.obsm["table"] = data.obs[["group"]].copy()
        path = support.fresh("cluster", "table.h5ad")
        data.write_h5ad(path)
        self.check(["obsm['table']", "no dense matrix (encoding-type 'dataframe')"], "--features", "table", data=path)

    def test_unknown_labels(self):
        self.check(["--labels 'grop'", "did you mean 'group'"], "--labels", "grop")

    def test_the_column_that_names_the_cells(self):
        self.check(["obs['_index']", "names of the cells"], "--column", "_index")

    def test_a_column_where_another_ones_groups_lie(self):
        nested = support.fresh("cluster", "nested.h5ad")
        shutil.copy(support.BASE / "result.h5ad", nested)
        with h5py.File(nested, "a") as file:
            file["obs/of/two"] = np.arange(support.CELLS)
            file["obs"].attrs["column-order"] = np.append(file["obs"].attrs["column-order"], "of/two")
        output = support.fresh("cluster", "unmade.h5ad")
        done = support.run("masksc_cluster", "--input", nested, "--output", output, "--column", "of", ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("obs['of/two']", done.err)
        self.assertFalse(output.exists())

    def test_an_output_that_is_there(self):
        output = support.fresh("taken.h5ad")
        output.write_text("precious")
        self.assertEqual(cluster(output).codes, [2, 2])
        self.assertEqual(output.read_text(), "precious")


if __name__ == "__main__":
    unittest.main()
