"""report.html in a real browser, and masksc_report on runs, comparisons and nonsense."""
import os
import pathlib
import shutil
import unittest
import xml.etree.ElementTree

import anndata
import numpy as np

import browser
import support

PAGE = support.BASE / "report.html"


def drawn(browser_, identity):
    return browser_.run("return document.getElementById(arguments[0]).querySelectorAll('.main-svg').length", identity)


@unittest.skipIf(browser.missing(), f"SKIPPED: no {', '.join(browser.missing())} here (launch/setup.sh installs them)")
class InABrowser(unittest.TestCase):
    def check_page(self, width):
        with browser.Browser(width) as page:
            page.open(PAGE)
            page.wait_until("return document.querySelectorAll('#loss .main-svg').length > 0")
            for plot in ("umap", "tsne", "confusion", "silhouettes", "dots", "loss", "sequence-loss", "rate", "gradient"):
                self.assertGreater(drawn(page, plot), 0, plot)
            self.assertEqual(page.run("return document.querySelectorAll('#attention-grid canvas').length"), 16)
            legend = lambda plot: page.run(f"return [...document.querySelectorAll('#{plot} .legendtext')].map(e => e.textContent)")
            clusters = anndata.read_h5ad(support.BASE / "result.h5ad").obs["masksc"]
            sizes = clusters.value_counts()
            self.assertEqual(legend("umap"), [f"{name} ({sizes[name]} cells)" for name in clusters.cat.categories])
            metrics = support.metrics(support.BASE)
            self.assertEqual(legend("silhouettes"), [f"learnt features (mean {metrics['silhouette']:.3f})",
                                                     f"principal components (mean {metrics['silhouette_pca']:.3f})"])
            self.assertEqual(page.run("return innerWidth"), width)
            self.assertLessEqual(page.run("return document.documentElement.scrollWidth"), width)
            self.check_controls(page)
            self.assertEqual(page.complaints(), [])
            self.assertEqual(page.requests(), [])

    def check_controls(self, page):
        title = "return document.querySelector('#umap .gtitle').textContent"
        self.assertIn("masksc", page.run(title))
        page.run("const s = document.getElementById('colour'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))")
        page.wait_until(title + ".includes('group')")
        gene = page.run("return document.querySelector('#marker-table button').textContent")
        page.run("document.querySelector('#marker-table button').click()")
        page.wait_until(title + f".includes('{gene}')")
        page.run("const g = document.getElementById('gene'); g.value = 'nonsense'; g.dispatchEvent(new Event('change'))")
        self.assertIn("--report-genes nonsense", page.run("return document.getElementById('gene-message').textContent"))
        before = page.run("return getComputedStyle(document.body).backgroundColor")
        page.run("document.getElementById('theme').click()")
        self.assertNotEqual(page.run("return getComputedStyle(document.body).backgroundColor"), before)

    def test_wide(self):
        self.check_page(1400)

    def test_narrow(self):
        self.check_page(400)


class Report(unittest.TestCase):
    def test_maps_are_in_the_result(self):
        cells = anndata.read_h5ad(support.BASE / "result.h5ad")
        for name in ("X_masksc_umap", "X_masksc_tsne"):
            self.assertEqual(cells.obsm[name].shape, (support.CELLS, 2))
            self.assertTrue(np.isfinite(cells.obsm[name]).all())

    def test_a_finished_run_without_its_page_gets_one(self):
        copy = support.fresh("pageless")
        self.assertEqual(support.train(copy, "--report", "no").codes, [0, 0])
        self.assertFalse((copy / "report.html").exists())
        self.assertNotIn("X_masksc_umap", anndata.read_h5ad(copy / "result.h5ad").obsm)
        self.assertEqual(support.train(copy, "--report", "yes").codes, [0, 0])
        self.assertTrue((copy / "report.html").exists())

    def test_genes_that_are_asked_for(self):
        page = support.fresh("page.html")
        done = support.run("masksc_report", support.BASE, "--report-genes", "Gene7", "--output", page, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertIn('"name":"Gene7"', page.read_text())

    def test_genes_by_their_identifiers(self):
        data = anndata.read_h5ad(support.SIMULATED)
        data.var["gene_ids"] = [f"ENSG{i:05}" for i in range(data.n_vars)]
        path, output = support.fresh("identified.h5ad"), support.fresh("identified")
        data.write_h5ad(path)
        done = support.train(output, "--epochs", "1", "--report", "yes", "--report-genes", "ENSG00007", data=path)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn(f'"name":"{data.var_names[7]}"', (output / "report.html").read_text())
        done = support.run("masksc_report", output, "--report-genes", "ENSG00007,ENSG00008", ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("give the option once for each gene", done.err)

    def test_an_unknown_gene(self):
        page = support.fresh("page.html")
        done = support.run("masksc_report", support.BASE, "--report-genes", "Gene7x", "--output", page, ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertIn("Gene7x", done.err)
        self.assertFalse(page.exists())

    def test_output_replaces_pages_alone(self):
        folder = support.fresh("report", "output")
        folder.mkdir(parents=True)
        counts, link, page = folder / "counts.h5ad", folder / "link.html", folder / "page.html"
        shutil.copy(support.SIMULATED, counts)
        link.symlink_to(counts)
        before = counts.read_bytes()
        pipe = folder / "pipe"
        os.mkfifo(pipe)  # opening it would wait for ever
        for output in (counts, link, folder, pipe, support.BASE / "result.h5ad"):
            done = support.run("masksc_report", support.BASE, "--output", output, ranks=1)
            self.assertEqual(done.codes, [2], done)
            self.assertIn(f"--output {output} ", done.err)
        self.assertEqual(counts.read_bytes(), before)
        for _ in range(2):
            done = support.run("masksc_report", support.BASE, "--output", page, ranks=1)
            self.assertEqual(done.codes, [0], done)
        self.assertEqual(support.page_data(page)["title"], support.page_data(PAGE)["title"])

    def test_clusters_in_other_features(self):
        other = support.fresh("report_pcs.h5ad")
        made = support.run("masksc_cluster", "--input", support.BASE / "result.h5ad", "--output", other, "--clusters", "3",
                           "--features", "X_masksc_pca", ranks=1)
        self.assertEqual(made.codes, [0], made)
        done = support.run("masksc_report", support.BASE, "--clusters", other, ranks=1)
        self.assertEqual(done.codes, [0], done)

    def test_clusters_of_masksc_cluster(self):
        other = support.fresh("report_clusters.h5ad")
        made = support.run("masksc_cluster", "--input", support.BASE / "result.h5ad", "--output", other, "--clusters", "3",
                           "--column", "three", "--labels", "group", ranks=1)
        self.assertEqual(made.codes, [0], made)
        before = PAGE.read_bytes()
        page = other.with_suffix(".html")
        done = support.run("masksc_report", support.BASE, "--clusters", other, ranks=1)
        self.assertEqual(done.codes, [0], done)
        data = support.page_data(page)
        self.assertIn(f"{support.CELLS} cells in 3 clusters", data["title"])
        self.assertIn(f"clusters of {other.name}, by masksc_cluster", data["subtitle"])
        scores = anndata.read_h5ad(other).uns["masksc_cluster"]["three"]["metrics"]
        cards = {card["name"]: card["value"] for card in data["summary"]}
        self.assertEqual((cards["ARI"], cards["clusters"]), (f"{scores['ari']:.3f}", "3"))
        self.assertEqual([column["name"] for column in data["columns"][:2]], ["three", "masksc"])
        self.assertEqual(len(data["markers"]), 3)
        self.assertEqual(PAGE.read_bytes(), before)
        drawn = other.with_name("report_clusters-figures")
        shutil.rmtree(drawn, ignore_errors=True)
        done = support.run("masksc_report", support.BASE, "--clusters", other, "--figures", "svg", ranks=1)
        self.assertEqual(done.codes, [0], done)
        circles = (drawn / "figure4_cells.svg").read_text().count("<circle")
        self.assertEqual(circles, 2 * support.CELLS + support.GROUPS + 3, "cells and names of labels and clusters")
        curated, shuffled = (support.fresh("report", name) for name in ("curated.h5ad", "shuffled.h5ad"))
        curated.parent.mkdir(parents=True, exist_ok=True)
        data = anndata.read_h5ad(other)
        data[::-1].copy().write_h5ad(shuffled)
        data.obs["three"] = data.obs["three"].where(data.obs["three"] != "2")
        data.write_h5ad(curated)
        for words, file in ((["leaves cells without a cluster"], curated), (["was not made of", "another order"], shuffled)):
            done = support.run("masksc_report", support.BASE, "--clusters", file, ranks=1)
            self.assertEqual(done.codes, [2], done)
            for word in words:
                self.assertIn(word, done.err)
        page.write_text("my own notes")
        for words, *arguments in ((["is no page"], "--clusters", other),
                                  (["holds no clusters of masksc_cluster"], "--clusters", support.BASE / "result.h5ad"),
                                  (["no clusters of that name", "there are: three"], "--clusters", other, "--column", "two",
                                   "--output", support.fresh("page.html"))):
            done = support.run("masksc_report", support.BASE, *arguments, ranks=1)
            self.assertEqual(done.codes, [2], done)
            for word in words:
                self.assertIn(word, done.err)
        self.assertEqual(page.read_text(), "my own notes")

    def test_the_command_of_a_page_names_all_paths(self):
        output = support.fresh("report", "command")
        done = support.train(output, "--sequence-model", support.BASE / "model", "--max-steps", "2", "--report", "yes")
        self.assertEqual(done.codes, [0, 0], done)
        command = support.page_data(output / "report.html")["command"]
        for words in (f"mpirun -np 2 masksc_train --config {output / 'config.ini'} ", f" --input {support.SIMULATED} ",
                      " --labels group ", f" --sequence-model {support.BASE / 'model'} "):
            self.assertIn(words, command)
        new = support.fresh("report", "embedded")
        done = support.run("masksc_embed", "--model", output / "model", "--input", support.SIMULATED, "--labels", "group",
                           "--reference", output / "result.h5ad", "--output", new, ranks=1)
        self.assertEqual(done.codes, [0], done)
        command = support.page_data(new / "report.html")["command"]
        for words in ("masksc_embed", " --labels group ", f" --reference {output / 'result.h5ad'} "):
            self.assertIn(words, command)

    def test_folders_without_a_run(self):
        for folder, word in ((support.WORK / "nowhere", "is not there"), (support.WORK, "holds no finished run"),
                             (support.SIMULATED, "is no folder")):
            done = support.run("masksc_report", folder, ranks=1)
            self.assertEqual(done.codes, [2], done)
            self.assertIn(word, done.err)
        self.assertEqual(support.run("masksc_report", ranks=1).codes, [2])

    def test_a_damaged_model_costs_only_the_attention(self):
        copy = support.fresh("damaged")
        shutil.copytree(support.BASE, copy)
        weights = copy / "model" / "masked_autoencoder.h5"
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        done = support.run("masksc_report", copy, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertIn("no attention", done.err)

    def test_a_damaged_result_leaves_the_old_page(self):
        copy = support.fresh("damaged")
        shutil.copytree(support.BASE, copy)
        (copy / "result.h5ad").write_bytes(b"nonsense")
        before = (copy / "report.html").read_bytes()
        done = support.run("masksc_report", copy, ranks=1)
        self.assertEqual(done.codes, [2], done)
        self.assertEqual((copy / "report.html").read_bytes(), before)

    def test_figures_of_a_run(self):
        start = {"svg": b"<svg", "pdf": b"%PDF-1", "png": b"\x89PNG"}
        for kind, magic in start.items():
            folder = support.fresh("figures")
            done = support.run("masksc_report", support.BASE, "--figures", kind, "--output", folder, ranks=1)
            if kind != "svg" and "librsvg" in done.err:
                self.assertEqual(done.codes, [2])
                self.skipTest("this build makes svg only (no librsvg)")
            self.assertEqual(done.codes, [0], done)
            self.assertEqual(sorted(f.name for f in folder.iterdir()),
                             [f"figure4_cells.{kind}", f"figure4_cells_umap.{kind}", f"figure6_attention.{kind}"])
            for file in folder.iterdir():
                self.assertTrue(file.read_bytes().startswith(magic), file)
        drawn = self.svg_of(support.BASE)
        data = anndata.read_h5ad(support.BASE / "result.h5ad")
        named = data.obs
        for figure, coordinates in (("figure4_cells", "X_masksc_tsne"), ("figure4_cells_umap", "X_masksc_umap")):
            cells = xml.etree.ElementTree.fromstring((drawn / f"{figure}.svg").read_bytes())
            circles = [e for e in cells.iter() if e.tag.endswith("circle")]
            self.assertEqual(len(circles), 2 * len(named) + named["masksc"].nunique() + named["group"].nunique())
            x = [float(circle.get("cx")) for circle in circles[:len(named)]]
            self.assertGreater(np.corrcoef(x, data.obsm[coordinates][:, 0])[0, 1], 0.9999, figure)

    def svg_of(self, folder):
        output = support.fresh("drawn")
        self.assertEqual(support.run("masksc_report", folder, "--figures", "svg", "--output", output, ranks=1).codes, [0])
        return output

    def test_figures_have_no_folder_where_a_file_is(self):
        file = support.fresh("taken")
        file.write_text("mine")
        done = support.run("masksc_report", support.BASE, "--figures", "svg", "--output", file, ranks=1)
        self.assertEqual(done.codes, [3], done)
        self.assertEqual(file.read_text(), "mine")
        self.assertEqual(support.run("masksc_report", support.BASE, "--figures", "jpg", ranks=1).codes, [2])


if __name__ == "__main__":
    unittest.main()
