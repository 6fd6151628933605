"""Bad input: one clear message, the right exit code on all ranks within 10 seconds, no half-written result."""
import gzip
import shutil
import subprocess
import unittest

import anndata
import h5py
import numpy as np
import scipy.sparse

import support

FOLDER = "bad"


class BadInput(unittest.TestCase):
    def refuse(self, done, output, words, code=2):
        self.assertEqual(done.codes, [code] * len(done.codes), done)
        self.assertLess(done.seconds, support.patience(10), done)
        for word in words:
            self.assertIn(str(word), done.err, done)
        saying = [line for line in done.err.splitlines() if str(words[0]) in line and "error" in line.lower()]
        self.assertEqual(len(saying), 1, done)
        left = sorted(p.name for p in output.glob("*")) if output.exists() else []
        self.assertEqual(left, [], done)  # so that the mended command is not taken for another run

    def train(self, data, words, *arguments, ranks=2, labels=None, code=2):
        output = support.fresh(FOLDER, "output")
        self.refuse(support.train(output, *arguments, data=data, labels=labels, ranks=ranks), output, words, code)

    def file(self, name):
        return support.fresh(FOLDER, name)

    def counts_file(self, change, name="counts.h5ad"):
        """Good counts, spoilt by `change(counts)`."""
        counts, group = support.small_counts()
        change(counts)
        return support.write_h5ad(self.file(name), counts, group)


class Files(BadInput):
    def test_missing(self):
        self.train("/nowhere/cells.h5ad", ["/nowhere/cells.h5ad"])

    def test_a_folder(self):
        self.train(support.WORK, [support.WORK])

    def test_empty(self):
        path = self.file("empty.h5ad")
        path.touch()
        self.train(path, [path])

    def test_not_hdf5(self):
        path = self.file("table.csv")
        path.write_text("cell,gene\n1,2\n" * 1000)
        self.train(path, [path])

    def test_packed(self):
        path = self.file("counts.h5ad.gz")
        path.write_bytes(gzip.compress(support.SIMULATED.read_bytes()[:1000]))
        self.train(path, [f"unpack it first (gunzip {path})"])

    def test_truncated(self):
        whole = support.SIMULATED.read_bytes()
        for share in (0.05, 0.5, 0.95):
            with self.subTest(share=share):
                path = self.file("truncated.h5ad")
                path.write_bytes(whole[: int(len(whole) * share)])
                self.train(path, [path])

    def test_wrong_layout(self):
        path = self.file("layout.h5")
        with h5py.File(path, "w") as file:
            file["counts"] = np.ones((5, 5))
        self.train(path, [path])

    def test_wrong_dimensions(self):
        path = support.write_xy(self.file("cube.h5"), np.ones((5, 5, 5)))
        self.train(path, [path])

    def test_text_instead_of_counts(self):
        path = self.file("text.h5")
        with h5py.File(path, "w") as file:
            file["X"] = np.full((5, 5), b"many")
        self.train(path, [path])

    def test_no_cells(self):
        path = support.write_xy(self.file("none.h5"), np.ones((0, 50)))
        self.train(path, [path])

    def test_output_is_a_file(self):
        output = self.file("output-file")
        output.write_text("mine")
        done = support.train(output)
        self.assertIn(done.codes[0], (2, 3), done)
        self.assertEqual(len(set(done.codes)), 1, done)
        self.assertEqual(output.read_text(), "mine")

    def test_sparse_with_broken_pointers(self):
        counts, group = support.small_counts()
        path = support.write_h5ad(self.file("pointers.h5ad"), scipy.sparse.csr_matrix(counts), group)
        for name, at, value in [("indices", 7, 10_000), ("indices", 7, -1), ("indptr", 3, 10**7), ("indptr", 3, 0)]:
            with self.subTest(array=name, value=value):
                with h5py.File(path, "r+") as file:
                    array = file["X"][name]
                    good, array[at] = array[at], value
                self.train(path, [path])
                with h5py.File(path, "r+") as file:
                    file["X"][name][at] = good


class Counts(BadInput):
    def test_first_bad_count_is_named(self):
        for value, shown in [(-3.0, "-3"), (np.nan, "nan"), (np.inf, "inf"), (2.5, "2.5")]:
            with self.subTest(value=value):

                def spoil(counts):
                    counts[41, 7] = counts[50, 3] = value

                path = self.counts_file(spoil)
                self.train(path, [path, "cell41", "gene7", shown])

    def test_first_bad_count_of_a_file_without_names(self):
        counts, group = support.small_counts()
        counts[41, 7] = -3
        path = support.write_xy(self.file("negative.h5"), counts, group)
        self.train(path, [path, "41", "7", "-3"])

    def test_noninteger_is_told_how_to_allow(self):
        def halve(counts):
            counts *= 0.5

        path = self.counts_file(halve)
        self.train(path, [path, "--allow-noninteger"])
        done = support.train(support.fresh(FOLDER, "output"), "--allow-noninteger", "--max-steps", "1", "--clusters",
                             "3", data=path)
        self.assertEqual(done.codes, [0, 0], done)

    def test_no_counts_at_all(self):
        def clear(counts):
            counts[:] = 0

        path = self.counts_file(clear)
        self.train(path, [path])

    def test_fewer_genes_than_a_patch(self):
        counts, group = support.small_counts(genes=10)
        path = support.write_h5ad(self.file("few.h5ad"), counts, group)
        self.train(path, ["10", "patch"], "--matrix", "auto", "--patch", "4")


class Labels(BadInput):
    def test_of_another_length(self):
        counts, group = support.small_counts()
        path = support.write_xy(self.file("short.h5"), counts, group[:-1])
        self.train(path, [path, "59", "60"], labels="Y")

    def test_column_that_is_not_there(self):
        self.train(support.SIMULATED, ["grop", "'group'"], labels="grop")

    def test_asked_of_a_file_without(self):
        counts, _ = support.small_counts()
        path = support.write_xy(self.file("nolabels.h5"), counts)
        self.train(path, [path], labels="Y")

    def test_layer_that_is_not_there(self):
        counts, group = support.small_counts()
        path = support.write_h5ad(self.file("layers.h5ad"), counts, group, layers={"counts": counts})
        self.train(path, ["'count'", "'counts'"], "--layer", "count")
        self.train(path, [path, "raw"], "--layer", "raw")


class Sizes(BadInput):
    def test_mask_ratio_that_leaves_no_token(self):
        for ratio in ("0", "1", "-0.5", "1.5", "0.99", "0.01"):
            with self.subTest(ratio=ratio):
                self.train(support.SIMULATED, ["mask-ratio", ratio], "--mask-ratio", ratio)

    def test_batch_smaller_than_the_ranks(self):
        self.train(support.SIMULATED, ["batch-size", "2", "3"], "--batch-size", "2", ranks=3)

    def test_more_ranks_than_cells(self):
        counts, _ = support.small_counts(cells=3)
        path = support.write_h5ad(self.file("three.h5ad"), counts)
        self.train(path, ["3", "4", "ranks"], "--clusters", "2", ranks=4)

    def test_more_clusters_than_cells(self):
        counts, _ = support.small_counts(cells=12)
        path = support.write_h5ad(self.file("twelve.h5ad"), counts)
        self.train(path, ["clusters", "13", "12"], "--clusters", "13")

    def test_a_gene_for_the_page_that_is_not_there(self):
        self.train(support.SIMULATED, ["--report-genes Gene7x", "did you mean 'Gene7"], "--report", "yes", "--report-genes",
                   "Gene7x")

    def test_a_gene_for_a_page_that_is_not_made(self):
        self.train(support.SIMULATED, ["--report-genes Gene7", "--report yes"], "--report", "no", "--report-genes", "Gene7")

    def test_more_genes_asked_than_there_are(self):
        path = self.file("genes.txt")
        path.write_text("gene1\nno-such-gene\n")
        self.train(support.SIMULATED, [path, "no-such-gene"], "--genes", path)


class SequenceModel(BadInput):
    def test_missing(self):
        self.train(support.SIMULATED, ["/nowhere/model"], "--sequence-model", "/nowhere/model")

    def test_of_other_genes(self):
        counts, group = support.small_counts(cells=100)
        other = support.write_h5ad(self.file("other.h5ad"), counts, group)
        self.train(other, [support.BASE / "model"], "--sequence-model", support.BASE / "model")

    def test_damaged(self):
        model = self.file("model")
        shutil.copytree(support.BASE / "model", model)
        for file in model.rglob("*"):
            if file.is_file():
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        self.train(support.SIMULATED, [model], "--sequence-model", model)


class NoSpace(BadInput):
    """An output folder on a disk of 300 kB: the prepared file of these cells alone is larger, or the model is."""

    def setUp(self):
        self.disk = support.fresh(FOLDER, "disk")
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", self.disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("needs the right to mount a small tmpfs (root)")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def test_is_an_error_of_the_environment(self):
        output = self.disk / "output"
        done = support.train(output, "--dim", "256")
        self.assertEqual(done.codes, [3, 3], done)
        self.assertIn(str(self.disk), done.err, done)
        self.assertRegex(done.err, "(?i)no space|disk is full", done)
        self.assertFalse((output / "result.h5ad").exists())
        self.assertFalse((output / "metrics.json").exists())


class DroppedAndReported(BadInput):
    """Not an error: cells and genes without counts."""

    def test_cells_and_genes_without_counts(self):
        def clear(counts):
            counts[[5, 6, 20]] = 0
            counts[:, [3, 100]] = 0

        path = self.counts_file(clear)
        output = support.fresh(FOLDER, "output")
        done = support.train(output, "--max-steps", "2", "--clusters", "3", data=path)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertRegex(done.err, r"\b3 (of 60 )?cells")
        self.assertRegex(done.err, r"\b2 of 300 have no counts")
        self.assertEqual(support.metrics(output)["cells"], 57)
        names = list(anndata.read_h5ad(output / "result.h5ad").obs_names)
        self.assertEqual(names, [f"cell{i}" for i in range(60) if i not in (5, 6, 20)])


class OtherPrograms(BadInput):
    def test_prepare_names_the_bad_count(self):
        def spoil(counts):
            counts[41, 7] = -3

        path, output = self.counts_file(spoil), self.file("prepared.h5")
        done = support.run("masksc_prepare", "--input", path, "--output", output)
        self.assertEqual(done.codes, [2, 2], done)
        for word in (str(path), "cell41", "gene7", "-3"):
            self.assertIn(word, done.err)
        self.assertEqual(list(output.parent.glob("*prepared*")), [])

    def test_simulate_refuses_impossible_sizes(self):
        for option, value in [("--cells", "0"), ("--genes", "0"), ("--groups", "0")]:
            with self.subTest(option=option):
                output = self.file("simulated.h5ad")
                done = support.run("masksc_simulate", option, value, "--output", output)
                self.assertEqual(done.codes, [2, 2], done)
                self.assertIn(option.lstrip("-"), done.err)
                self.assertFalse(output.exists())


if __name__ == "__main__":
    unittest.main()
