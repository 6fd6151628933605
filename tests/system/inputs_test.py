"""One matrix of counts in every layout that is read: the same result from each."""
import unittest

import anndata
import numpy as np
import scipy.sparse

import support

FOLDER = "inputs"
SHORT = ["--max-steps", "3", "--sequence-epochs", "1", "--clusters", "3"]


class Layouts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.counts, cls.group = support.small_counts()
        cls.expected = cls.embedding_hash(support.write_h5ad(support.fresh(FOLDER, "dense.h5ad"), cls.counts))

    @classmethod
    def embedding_hash(cls, path, *arguments):
        output = support.fresh(FOLDER, "output")
        done = support.train(output, *SHORT, *arguments, data=path, labels=None)
        assert done.codes == [0, 0], done
        return support.metrics(output)["embedding_hash"]

    def check(self, path, *arguments):
        self.assertEqual(self.embedding_hash(path, *arguments), self.expected)

    def test_h5ad_rows(self):
        self.check(support.write_h5ad(support.fresh(FOLDER, "rows.h5ad"), scipy.sparse.csr_matrix(self.counts)))

    def test_h5ad_columns(self):
        self.check(support.write_h5ad(support.fresh(FOLDER, "columns.h5ad"), scipy.sparse.csc_matrix(self.counts)))

    def test_h5ad_integers(self):
        self.check(support.write_h5ad(support.fresh(FOLDER, "int.h5ad"), self.counts.astype(np.int64)))

    def test_h5ad_layer(self):
        path = support.write_h5ad(support.fresh(FOLDER, "layer.h5ad"), np.log1p(self.counts),
                                  layers={"counts": scipy.sparse.csr_matrix(self.counts)})
        self.check(path, "--layer", "counts")

    def test_h5ad_raw(self):
        data = anndata.AnnData(scipy.sparse.csr_matrix(self.counts))
        data.raw = data.copy()
        data = data[:, :250].copy()
        data.X = data.X.log1p()
        path = support.fresh(FOLDER, "raw.h5ad")
        data.write_h5ad(path)
        self.check(path, "--layer", "raw")

    def test_xy_of_any_type(self):
        for kind in ("uint8", "int32", "float64"):
            with self.subTest(kind=kind):
                self.check(support.write_xy(support.fresh(FOLDER, "xy.h5"), self.counts.astype(kind), self.group + 1))

    def test_chosen_by_content_not_by_name(self):
        path = support.fresh(FOLDER, "misnamed.h5ad")
        self.check(support.write_xy(path, self.counts))

    def test_prepared(self):
        path = support.write_h5ad(support.fresh(FOLDER, "source.h5ad"), self.counts, self.group)
        prepared = support.fresh(FOLDER, "prepared.h5")
        done = support.run("masksc_prepare", "--input", path, "--labels", "group", "--output", prepared)
        self.assertEqual(done.codes, [0, 0], done)
        self.check(prepared)


class Labels(unittest.TestCase):
    def result(self, path, labels):
        output = support.fresh(FOLDER, "output")
        done = support.train(output, *SHORT, data=path, labels=labels)
        self.assertEqual(done.codes, [0, 0], done)
        return support.metrics(output), anndata.read_h5ad(output / "result.h5ad")

    def test_from_zero_or_one_are_the_same(self):
        counts, group = support.small_counts()
        zero, _ = self.result(support.write_xy(support.fresh(FOLDER, "zero.h5"), counts, group), "Y")
        one, _ = self.result(support.write_xy(support.fresh(FOLDER, "one.h5"), counts, group + 1.0), "Y")
        self.assertIsNotNone(zero["ari"])
        self.assertEqual(zero["ari"], one["ari"])

    def test_of_a_column_whose_name_nests_groups(self):
        counts, group = support.small_counts()
        data = anndata.AnnData(counts)
        data.obs["of/two"] = [f"type{g}" for g in group]
        path = support.fresh(FOLDER, "nested.h5ad")
        data.write_h5ad(path)
        metrics, result = self.result(path, "of/two")
        self.assertIsNotNone(metrics["ari"])
        self.assertEqual(list(result.obs["of/two"]), list(data.obs["of/two"]))

    def test_through_a_prepared_file(self):
        counts, group = support.small_counts()
        path = support.write_h5ad(support.fresh(FOLDER, "source.h5ad"), counts, group)
        prepared = support.fresh(FOLDER, "prepared.h5")
        done = support.run("masksc_prepare", "--input", path, "--labels", "group", "--output", prepared, ranks=1)
        self.assertEqual(done.codes, [0], done)
        direct, _ = self.result(path, "group")
        metrics, result = self.result(prepared, "group")
        self.assertEqual(metrics["ari"], direct["ari"])
        self.assertEqual(list(result.obs["group"]), [f"type{g}" for g in group])
        self.assertEqual(list(result.obs_names[:2]), ["cell0", "cell1"])
        for program, more in (("masksc_train", []), ("masksc_compare", ["--methods", "kmeans"])):
            output = support.fresh(FOLDER, "other_labels")
            other = support.run(program, "--input", prepared, "--labels", "types", "--output", output, *more, ranks=2)
            self.assertEqual(other.codes, [2, 2], other)
            self.assertIn("--labels 'types'", other.err)
            self.assertIn("was prepared with the labels 'group'", other.err)


class Genes(unittest.TestCase):
    def used(self, *arguments, path):
        output = support.fresh(FOLDER, "output")
        done = support.train(output, *SHORT, "--matrix", "8x8", *arguments, data=path, labels=None)
        self.assertEqual(done.codes, [0, 0], done)
        var = anndata.read_h5ad(output / "result.h5ad").var
        flag = next(c for c in var.columns if "masksc" in c)
        return set(var.index[var[flag].astype(bool)])

    def test_listed_in_a_file(self):
        counts, _ = support.small_counts()
        path = support.write_h5ad(support.fresh(FOLDER, "genes.h5ad"), counts)
        listed = [f"gene{j}" for j in range(3, 300, 4)][:64]
        names = support.fresh(FOLDER, "genes.txt")
        names.write_text("\n".join(listed) + "\n")
        self.assertEqual(self.used("--genes", names, path=path), set(listed))

    def test_flagged_highly_variable(self):
        counts, _ = support.small_counts()
        data = anndata.AnnData(counts)
        data.var_names = [f"gene{j}" for j in range(counts.shape[1])]
        data.var["highly_variable"] = np.arange(counts.shape[1]) % 4 == 1
        path = support.fresh(FOLDER, "flagged.h5ad")
        data.write_h5ad(path)
        flagged = set(data.var_names[data.var["highly_variable"]])
        self.assertLessEqual(self.used("--genes", "highly_variable", path=path), flagged)


class Prepared(unittest.TestCase):
    def test_holds_the_counts(self):
        source = anndata.read_h5ad(support.SIMULATED)
        prepared = support.fresh(FOLDER, "prepared.h5")
        done = support.run("masksc_prepare", "--input", support.SIMULATED, "--output", prepared, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertEqual((support.prepared_counts(prepared) != source.X).nnz, 0)

    def test_same_file_twice_has_the_same_fingerprint(self):
        hashes = []
        for attempt in range(2):
            prepared = support.fresh(FOLDER, f"prepared{attempt}.h5")
            done = support.run("masksc_prepare", "--input", support.SIMULATED, "--output", prepared, ranks=1 + attempt)
            self.assertEqual(set(done.codes), {0}, done)
            hashes.append(prepared.read_bytes())
        self.assertEqual(hashes[0], hashes[1])


if __name__ == "__main__":
    unittest.main()
