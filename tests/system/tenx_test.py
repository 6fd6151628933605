"""10x inputs give what scanpy reads from them; names that repeat are made unique as anndata makes them."""
import gzip
import unittest

import anndata
import h5py
import numpy as np
import scanpy
import scipy.io
import scipy.sparse

import support

FOLDER = "tenx"
SHORT = ["--max-steps", "3", "--sequence-epochs", "1", "--clusters", "3"]


class Features:
    """Small counts with repeated symbols and, as the last columns, antibodies."""

    def __init__(self, antibodies=5, genomes=("GRCh38",)):
        self.counts, _ = support.small_counts(genes=300)
        self.counts[7] = 0  # an empty cell
        self.cells = [f"ACGT{i}-1" for i in range(len(self.counts))]
        genes = self.counts.shape[1] - antibodies
        self.symbols = [f"SYM{j % (genes - 10)}" for j in range(genes)] + [f"CD{j}" for j in range(antibodies)]
        self.types = ["Gene Expression"] * genes + ["Antibody Capture"] * antibodies
        self.genomes = [genomes[j % len(genomes)] for j in range(genes)] + [""] * antibodies
        self.ids = [f"ENSG{j}" for j in range(len(self.symbols))]

    def write_group(self, group):
        rows = scipy.sparse.csr_matrix(self.counts.astype(np.int32))
        for part in ("data", "indices", "indptr"):
            group.create_dataset(part, data=getattr(rows, part), compression="gzip")
        group["shape"] = np.array(self.counts.T.shape, np.int32)
        group["barcodes"] = np.array([name.encode() for name in self.cells])

    def write_new(self, path):
        with h5py.File(path, "w") as file:
            self.write_group(file.create_group("matrix"))
            for name, column in (("id", self.ids), ("name", self.symbols), ("feature_type", self.types),
                                 ("genome", self.genomes)):
                file[f"matrix/features/{name}"] = np.array([text.encode() for text in column])
            file["matrix/features/_all_tag_keys"] = np.array([b"genome"])
        return path

    def write_old(self, path, genomes=("hg19",)):
        with h5py.File(path, "w") as file:
            for genome in genomes:
                self.write_group(file.create_group(genome))
                file[f"{genome}/genes"] = np.array([text.encode() for text in self.ids])
                file[f"{genome}/gene_names"] = np.array([text.encode() for text in self.symbols])
        return path

    def write_folder(self, folder, old=False, prefix=""):
        folder.mkdir(parents=True)
        scipy.io.mmwrite(folder / "matrix.mtx", scipy.sparse.coo_matrix(self.counts.T.astype(np.int32)))
        columns = (self.ids, self.symbols) if old else (self.ids, self.symbols, self.types)
        texts = {"matrix.mtx": (folder / "matrix.mtx").read_text(),
                 "genes.tsv" if old else "features.tsv": "".join("\t".join(row) + "\n" for row in zip(*columns)),
                 "barcodes.tsv": "".join(name + "\n" for name in self.cells)}
        (folder / "matrix.mtx").unlink()
        for name, text in texts.items():
            if old:
                (folder / (prefix + name)).write_text(text)
            else:
                with gzip.open(folder / f"{prefix}{name}.gz", "wt") as file:
                    file.write(text)
        return folder


class AsScanpyReads(unittest.TestCase):
    def check(self, path, expected, *arguments, repeated=True):
        output = support.fresh(FOLDER, "output")
        done = support.train(output, *SHORT, *arguments, data=path, labels=None)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual("genes had the name of another one" in done.err, repeated, done)
        result = anndata.read_h5ad(output / "result.h5ad")
        expected.var_names_make_unique()
        expected = expected[np.asarray(expected.X.sum(axis=1)).ravel() > 0]
        self.assertEqual(list(result.var_names), list(expected.var_names))
        self.assertEqual(list(result.obs_names), list(expected.obs_names))
        self.assertTrue(np.array_equal(support.dense(result.X), support.dense(expected.X)))
        self.assertEqual(list(result.var["gene_ids"]), list(expected.var["gene_ids"]))
        return done

    def test_hdf5(self):
        path = Features().write_new(support.fresh(FOLDER, "new.h5"))
        done = self.check(path, scanpy.read_10x_h5(path))
        self.assertIn("5 of 300 features are left out: 5 'Antibody Capture'", done.err)

    def test_hdf5_one_genome_of_two(self):
        path = Features(genomes=("GRCh38", "mm10")).write_new(support.fresh(FOLDER, "two.h5"))
        self.check(path, scanpy.read_10x_h5(path, genome="mm10"), "--genome", "mm10", repeated=False)

    def test_hdf5_of_cell_ranger_2(self):
        path = Features(antibodies=0).write_old(support.fresh(FOLDER, "old.h5"))
        self.check(path, scanpy.read_10x_h5(path))

    def test_folder(self):
        folder = Features().write_folder(support.fresh(FOLDER, "folder"))
        for file in list(folder.iterdir()):  # what a Mac puts beside each
            (folder / f"._{file.name}").write_bytes(b"\0\5\x16\7Mac OS X")
        self.check(folder, scanpy.read_10x_mtx(folder))

    def test_folder_with_a_prefix(self):
        folder = Features().write_folder(support.fresh(FOLDER, "prefixed"), prefix="GSM1_")
        self.check(folder, scanpy.read_10x_mtx(folder, prefix="GSM1_"))

    def test_folder_of_cell_ranger_2(self):
        folder = Features(antibodies=0).write_folder(support.fresh(FOLDER, "old"), old=True)
        self.check(folder, scanpy.read_10x_mtx(folder))


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Features(antibodies=0).write_folder(support.fresh(FOLDER, "counts"), old=True)
        self.output = support.fresh(FOLDER, "output")

    def train(self):
        return support.train(self.output, *SHORT, data=self.folder, labels=None)

    def test_a_finished_run_knows_its_folder(self):
        self.assertEqual(self.train().codes, [0, 0])
        self.assertIn("finished; its result", self.train().err)
        names = (self.folder / "barcodes.tsv").read_text().replace("ACGT0-1", "other")
        (self.folder / "barcodes.tsv").write_text(names)
        done = self.train()
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("a run on other data", done.err)

    def test_what_is_wrong_is_said_with_file_and_line(self):
        lines = (self.folder / "matrix.mtx").read_text().splitlines()
        first = next(i for i, line in enumerate(lines) if line[0] != "%") + 1
        lines[first + 4] = "many words here"
        (self.folder / "matrix.mtx").write_text("\n".join(lines) + "\n")
        done = self.train()
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn(f"'{self.folder / 'matrix.mtx'}' line {first + 5} is 'many words here'", done.err)
        self.assertFalse(self.output.exists())

    def test_several_genomes_are_listed(self):
        path = Features(antibodies=0).write_old(support.fresh(FOLDER, "genomes.h5"), ("hg19", "mm10"))
        done = support.train(self.output, data=path, labels=None)
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("--genome; there are: hg19, mm10", done.err)

    def test_a_prepared_file_was_chosen_before(self):
        prepared = support.fresh(FOLDER, "prepared.h5")
        done = support.run("masksc_prepare", "--input", self.folder, "--output", prepared, ranks=1)
        self.assertEqual(done.codes, [0], done)
        done = support.train(self.output, "--genome", "hg19", data=prepared, labels=None)
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("choose the genome in masksc_prepare", done.err)


class RepeatedNames(unittest.TestCase):
    def test_of_an_h5ad(self):
        counts, _ = support.small_counts()
        data = anndata.AnnData(counts)
        data.obs_names = [f"cell{i // 3}" for i in range(data.n_obs)]
        data.var_names = ["gene1-1"] + [f"gene{j // 2}" for j in range(1, data.n_vars)]
        path = support.fresh(FOLDER, "repeated.h5ad")
        data.write_h5ad(path)
        output = support.fresh(FOLDER, "output")
        done = support.train(output, *SHORT, data=path, labels=None)
        self.assertEqual(done.codes, [0, 0], done)
        result = anndata.read_h5ad(output / "result.h5ad")
        data.obs_names_make_unique()
        data.var_names_make_unique()
        self.assertEqual(list(result.obs_names), list(data.obs_names))
        self.assertEqual(list(result.var_names), list(data.var_names))
        warned = [line["message"] for line in support.log_lines(output) if line.get("event") == "warning"]
        self.assertTrue(any("cells had the name" in line for line in warned), warned)


if __name__ == "__main__":
    unittest.main()
