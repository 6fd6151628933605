"""--decoder cross through the programs: trained, stopped and resumed, kept apart from the paper's, embedded, planned, swept."""
import csv
import json
import unittest

import anndata
import numpy as np

import support

CROSS = ["--decoder", "cross"]
SAVING = ["--checkpoint-every-steps", "5", "--sequence-model", support.BASE / "model"]


class Decoder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = support.fresh("decoder", "cross")
        cls.done = support.train(cls.output, *SAVING, *CROSS)
        assert cls.done.codes == [0, 0], cls.done
        cls.losses = np.array([line["loss"] for line in support.steps(cls.output)])

    def test_trains_another_model_on_any_number_of_ranks(self):
        self.assertLess(self.losses[-1], self.losses[0])
        self.assertGreater(np.abs(self.losses - [line["loss"] for line in support.steps(support.BASE)]).max(), 1e-3)
        weights = {"none": None, "blocks": None}
        for mode in weights:
            output = support.fresh("decoder", mode)
            done = support.train(output, *SAVING, *CROSS, "--guidance-token", "global", "--gradient-checkpointing", mode,
                                 ranks=1)
            self.assertEqual(done.codes, [0], done)
            weights[mode] = support.metrics(output)["weights_hash"]
        self.assertEqual(weights["none"], weights["blocks"])
        output = support.fresh("decoder", "alone")
        done = support.train(output, *SAVING, *CROSS, "--micro-batch", "7", ranks=1)
        self.assertEqual(done.codes, [0], done)
        np.testing.assert_allclose([line["loss"] for line in support.steps(output)], self.losses, rtol=1e-5)

    def test_goes_on_where_it_was(self):
        output = support.fresh("decoder", "resumed")
        done = support.train(output, *SAVING, *CROSS, "--resume", self.output / "checkpoints" / "step-00000020.h5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.steps(output)[0]["step"], 21)
        self.assertEqual(support.metrics(output)["weights_hash"], support.metrics(self.output)["weights_hash"])

    def test_is_not_taken_up_as_the_other(self):
        full = support.fresh("decoder", "full")
        done = support.train(full, *SAVING)
        self.assertEqual(done.codes, [0, 0], done)
        for folder, options, checkpoint_words, folder_words in [
                (self.output, [], "--decoder is cross there", "decoder = cross, now it is full"),
                (full, CROSS, "cross here", "decoder = full, now it is cross")]:
            latest = folder / "checkpoints" / "latest"
            for output, more, words in [(support.fresh("decoder", "other"), ["--resume", latest], checkpoint_words),
                                        (folder, [], folder_words)]:
                with self.subTest(options=options, more=more):
                    done = support.train(output, *SAVING, *options, *more)
                    self.assertEqual(done.codes, [2, 2], done)
                    self.assertIn("decoder", done.err)
                    self.assertIn(words, done.err)

    def test_new_cells(self):
        output = support.fresh("decoder", "embedded")
        done = support.run("masksc_embed", "--model", self.output / "model", "--output", output, "--input",
                           support.SIMULATED)
        self.assertEqual(done.codes, [0, 0], done)
        mine, theirs = (anndata.read_h5ad(folder / "result.h5ad") for folder in (output, self.output))
        np.testing.assert_array_equal(mine.obsm["X_masksc"], theirs.obsm["X_masksc"])
        self.assertEqual(json.loads((self.output / "model" / "model.json").read_text())["settings"]["decoder"], "cross")

    def test_other_words_are_refused(self):
        done = support.train(support.fresh("decoder", "refused"), "--decoder", "half")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("--decoder needs one of full, cross, not 'half'", done.err)

    def test_plan(self):
        full, cross = (self.plan(kind) for kind in ("full", "cross"))
        self.assertEqual(cross["parameters"], full["parameters"])
        for which in ("formula", "done"):
            was, now = (plan["forward_flop_per_cell"][which] for plan in (full, cross))
            self.assertLess(now.pop("decoder"), 0.75 * was.pop("decoder"))
            self.assertEqual(now, was)
        self.assertLess(cross["memory_bytes"]["activations"], 0.9 * full["memory_bytes"]["activations"])
        self.assertLess(cross["step"]["seconds"], full["step"]["seconds"])

    def plan(self, kind):
        done = support.run("masksc_train", "--config", support.ROOT / "configs" / "paper.ini", "--plan", "--json",
                           "--decoder", kind, ranks=1)
        self.assertEqual(done.codes, [0], done)
        return json.loads(done.out)

    def test_sweep(self):
        output = support.fresh("decoder", "sweep")
        done = support.run("masksc_sweep", "--input", support.SIMULATED, "--labels", "group", "--output", output,
                           *support.SMALL, "--sweep", "decoder=full,cross")
        self.assertEqual(done.codes, [0, 0], done)
        with open(output / "sweep.csv", newline="") as file:
            losses = {row["decoder"]: float(row["loss"]) for row in csv.DictReader(file)}
        self.assertEqual(set(losses), {"full", "cross"})
        self.assertNotEqual(losses["full"], losses["cross"])


if __name__ == "__main__":
    unittest.main()
