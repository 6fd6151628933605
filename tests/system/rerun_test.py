"""What a finished run does when it is started again."""
import json
import shutil
import unittest

import anndata

import support


class StartedAgain(unittest.TestCase):
    """Each test works on its own copy of the finished run."""

    def setUp(self):
        self.output = support.fresh("rerun", self.id().rsplit(".", 1)[1])
        shutil.copytree(support.BASE, self.output)
        self.before = support.metrics(self.output)
        self.result_bytes = (self.output / "result.h5ad").read_bytes()

    def assert_untouched(self):
        self.assertEqual((self.output / "result.h5ad").read_bytes(), self.result_bytes)
        self.assertEqual(support.metrics(self.output), self.before)

    def assert_refused(self, done, *words):
        self.assertEqual(done.codes, [2] * len(done.codes), done)
        for word in (*words, "--overwrite"):
            self.assertIn(word, done.err)
        self.assert_untouched()

    def test_same_configuration_says_so_and_prints_the_result(self):
        done = support.train(self.output)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertRegex(done.out + done.err, r"(?i)finished")
        self.assertIn(f"{self.before['ari']:.3f}"[:4], done.out)
        self.assertLess(done.seconds, support.patience(10))
        self.assert_untouched()

    def test_ranks_cadence_and_verbosity_may_differ(self):
        done = support.train(self.output, "--quiet", "--checkpoint-every-steps", "7", ranks=3)
        self.assertEqual(done.codes, [0, 0, 0], done)
        self.assert_untouched()

    def test_an_option_that_the_run_did_not_know_stands_for_its_default(self):
        lines = (self.output / "config.ini").read_text().splitlines(keepends=True)
        lines = [line for line in lines if not line.startswith(("keep-input", "feature-type"))]
        (self.output / "config.ini").write_text("".join(lines))
        done = support.train(self.output)
        self.assertEqual(done.codes, [0, 0], done)
        self.assert_untouched()
        self.assert_refused(support.train(self.output, "--keep-input"), "keep-input = no")

    def test_a_deleted_result_is_made_again(self):
        (self.output / "result.h5ad").unlink()
        done = support.train(self.output)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertTrue((self.output / "result.h5ad").exists())
        self.assertEqual(support.metrics(self.output)["embedding_hash"], self.before["embedding_hash"])

    def test_a_truncated_result_is_made_again(self):
        (self.output / "result.h5ad").write_bytes(self.result_bytes[: len(self.result_bytes) // 2])
        done = support.train(self.output)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("it is made again", done.err)
        self.assertEqual(anndata.read_h5ad(self.output / "result.h5ad").n_obs, support.CELLS)
        self.assertEqual(support.metrics(self.output)["embedding_hash"], self.before["embedding_hash"])

    def test_without_its_checkpoints_it_says_that_it_begins_anew(self):
        for path in (self.output / "checkpoints").glob("*"):
            if path.name != "run.json":
                path.unlink()
        self.assertIn("finished", support.train(self.output).err)
        self.assert_untouched()
        done = support.train(self.output, "--epochs", "5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("holds no checkpoint: the training begins anew", done.err)

    def test_what_guides_is_not_decided_again(self):
        for path in (self.output / "checkpoints").glob("*.h5"):
            path.unlink()
        decided = self.output / "checkpoints" / "guidance.json"
        self.assertNotEqual(self.before["guided_by"], "components")
        decided.write_text(json.dumps({**json.loads(decided.read_text()), "guidance_target": "components"}))
        done = support.train(self.output, "--epochs", "5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(self.output)["guided_by"], "components")

    def test_what_genes_are_standardised_by_is_not_decided_again(self):
        for path in (*(self.output / "checkpoints").glob("*.h5"), *(self.output / "model").glob("*.h5")):
            path.unlink()
        record = self.output / "checkpoints" / "run.json"
        decided = json.loads(record.read_text())
        self.assertEqual(decided["standardized"], self.before["standardize"])
        other = {"yes": "residuals", "residuals": "yes"}[decided["standardized"]]
        record.write_text(json.dumps({**decided, "standardized": other}))
        done = support.train(self.output, "--epochs", "5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(self.output)["standardize"], other)

    def test_what_a_run_lacks_is_named(self):
        for name in ("checkpoints/run.json", "config.ini"):
            (self.output / name).unlink()
            self.assert_refused(support.train(self.output), f"a run without its {name}")

    def test_a_run_that_was_killed_as_it_began_goes_on(self):
        for left in ((), ("checkpoints/run.json", ".config.ini.partial"), ("checkpoints/.run.json.partial",)):
            for path in self.output.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            (self.output / "checkpoints").mkdir()
            (self.output / "model").mkdir()
            for name in left:
                (self.output / name).write_text("{")
            done = support.train(self.output, "--epochs", "1")
            self.assertEqual(done.codes, [0, 0], (left, done))
        mine = support.fresh("rerun", "mine")
        mine.mkdir()
        (mine / "config.ini").write_text("epochs = 1\n")
        done = support.train(mine, "--config", mine / "config.ini")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertEqual((mine / "config.ini").read_text(), "epochs = 1\n")

    def test_one_that_was_killed_as_it_was_replaced_is_replaced(self):
        for name in ("metrics.json", "result.h5ad", "checkpoints/run.json"):
            (self.output / name).unlink()
        model = (self.output / "model" / "model.json").read_bytes()
        for option in ([], ["--resume", "never"]):  # a model that someone kept is not replaced by either
            refused = support.train(self.output, *option)
            self.assertEqual(refused.codes, [2, 2], refused)
            self.assertIn("a run without its checkpoints/run.json", refused.err)
        self.assertEqual((self.output / "model" / "model.json").read_bytes(), model)
        for name in ("model", "tensorboard", "report.html"):
            path = self.output / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        done = support.train(self.output, "--resume", "never")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(self.output)["embedding_hash"], self.before["embedding_hash"])

    def test_other_programs_leave_it_alone(self):
        page = (self.output / "report.html").read_bytes()
        for program, arguments in (("masksc_sweep", ["--sweep", "mask-ratio=0.5,0.75"]), ("masksc_compare", []),
                                   ("masksc_embed", ["--model", support.BASE / "model", "--overwrite"])):
            done = support.run(program, "--input", support.SIMULATED, "--output", self.output, *arguments)
            self.assertEqual(done.codes, [2, 2], done)
            self.assertIn("holds a training run; choose another --output", done.err)
        self.assert_untouched()
        self.assertEqual((self.output / "report.html").read_bytes(), page)

    def test_genes_for_its_page_are_drawn(self):
        done = support.train(self.output, "--report", "yes", "--report-genes", "Gene7x")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("did you mean 'Gene7", done.err)
        self.assertEqual(support.train(self.output, "--report", "yes", "--report-genes", "Gene7").codes, [0, 0])
        self.assertIn('"name":"Gene7"', (self.output / "report.html").read_text())
        self.assert_untouched()

    def test_for_other_clusters_it_names_masksc_cluster(self):
        self.assert_refused(support.train(self.output, "--clusters", "3"), "clusters = ", "masksc_cluster")

    def test_other_seed_is_refused(self):
        self.assert_refused(support.train(self.output, "--seed", "5"), "seed", "5")

    def test_other_model_is_refused(self):
        self.assert_refused(support.train(self.output, "--dim", "64"), "dim", "64")

    def test_other_genes_are_refused(self):
        self.assert_refused(support.train(self.output, "--gene-order", "variable"), "gene-order", "variable")

    def test_other_data_are_refused(self):
        counts, group = support.small_counts(cells=support.CELLS, genes=support.GENES)
        other = support.write_h5ad(support.fresh("rerun-other.h5ad"), counts, group)
        self.assert_refused(support.train(self.output, data=other))

    def test_overwrite_replaces_the_result(self):
        done = support.train(self.output, "--seed", "5", "--epochs", "2", "--overwrite")
        self.assertEqual(done.codes, [0, 0], done)
        after = support.metrics(self.output)
        self.assertEqual(after["seed"], 5)
        self.assertNotEqual(after["embedding_hash"], self.before["embedding_hash"])
        self.assertEqual(len(support.steps(self.output)), 2 * support.STEPS_PER_EPOCH)

    def test_more_epochs_continue_it(self):
        done = support.train(self.output, "--epochs", "6", "--resume", support.BASE / "checkpoints")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("is not used: this run has a checkpoint of its own, of step 24", done.err)
        numbers = [line["step"] for line in support.steps(self.output)]
        self.assertEqual(numbers, list(range(1, 6 * support.STEPS_PER_EPOCH + 1)))
        resumed = [line for line in support.log_lines(self.output) if line.get("event") == "resumed"]
        self.assertEqual([line["step"] for line in resumed if line["stage"] == "train"], [4 * support.STEPS_PER_EPOCH])
        self.assertNotEqual(support.metrics(self.output)["weights_hash"], self.before["weights_hash"])

    def test_a_folder_of_something_else_is_left_alone(self):
        stranger = support.fresh("rerun", "stranger")
        stranger.mkdir()
        (stranger / "thesis.txt").write_text("years of work")
        done = support.train(stranger, "--overwrite", "--epochs", "1")
        self.assertEqual((stranger / "thesis.txt").read_text(), "years of work", done)


if __name__ == "__main__":
    unittest.main()
