"""--deterministic: the same bits on 1, 2, 4 and 8 ranks (checkpoint_test: also when a run goes on on other ranks)."""
import unittest

import anndata
import numpy as np

import support

OPTIONS = ["--deterministic", "--sequence-epochs", "2", "--epochs", "2"]
THREADS = {1: 3, 2: 1, 4: 2, 8: 1}  # of a rank, by ranks


def folder(ranks):
    return support.WORK / "deterministic" / str(ranks)


def course(output, stage):
    return {line["step"]: (line["loss"], line["gradient_norm"]) for line in support.steps(output, stage)}


class AnyRanks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for ranks, threads in THREADS.items():
            output = support.fresh("deterministic", str(ranks))
            done = support.train(output, *OPTIONS, "--threads", str(threads), ranks=ranks)
            assert done.codes == [0] * ranks, done

    def test_weights_and_embedding(self):
        for name in ("weights_hash", "embedding_hash", "ari", "silhouette", "steps"):
            self.assertEqual(len({support.metrics(folder(ranks))[name] for ranks in THREADS}), 1, name)

    def test_labels(self):
        labels = [anndata.read_h5ad(folder(ranks) / "result.h5ad").obs["masksc"].astype(str) for ranks in THREADS]
        for other in labels[1:]:
            self.assertTrue(other.equals(labels[0]))

    def test_losses_of_both_stages(self):
        for stage, epochs in (("sequence", 2), ("train", 2)):
            expected = course(folder(1), stage)
            self.assertGreaterEqual(len(expected), 2 * epochs)
            for ranks in (2, 4, 8):
                self.assertEqual(course(folder(ranks), stage), expected, f"{stage}, {ranks} ranks")

    def test_an_ordinary_run_differs_by_rounding(self):
        ordinary = support.steps(support.BASE, "sequence")[0]["loss"]
        self.assertNotEqual(support.metrics(support.BASE)["weights_hash"], support.metrics(folder(1))["weights_hash"])
        np.testing.assert_allclose(support.steps(folder(1), "sequence")[0]["loss"], ordinary, rtol=1e-5)

    def test_another_number_of_shards_is_another_run(self):
        for options in (["--virtual-shards", "4"], []):
            done = support.train(folder(1), *(OPTIONS + options if options else OPTIONS[1:]), ranks=1)
            self.assertEqual(done.codes, [2], done)
            self.assertIn("virtual-shards" if options else "deterministic", done.err)


class EachCellOnce(unittest.TestCase):
    """What log.jsonl proves of every run, deterministic or not."""

    def test_the_cells_of_an_epoch(self):
        for output in (support.BASE, folder(4)):
            lines = [line for line in support.log_lines(output) if line["stage"] == "train"]
            epochs = [line for line in lines if line.get("event") == "epoch"]
            self.assertGreaterEqual(len(epochs), 2)
            self.assertEqual(len({line["order_hash"] for line in epochs}), len(epochs))
            for epoch in epochs:
                steps = [line for line in lines if "loss" in line and line["epoch"] == epoch["epoch"]]
                self.assertEqual(epoch["step"], steps[0]["step"])
                self.assertLess(lines.index(epoch), lines.index(steps[0]))
                bounds = [line["cells"] for line in steps]
                self.assertEqual([0, *(end for _, end in bounds)], [*(begin for begin, _ in bounds), support.CELLS])

    def test_the_order_depends_on_seed_and_epoch_only(self):
        def hashes(output):
            return [line["order_hash"] for line in support.log_lines(output) if line.get("event") == "epoch"][:2]
        for ranks in THREADS:
            self.assertEqual(hashes(folder(ranks)), hashes(support.BASE))


class Refused(unittest.TestCase):
    def refused(self, ranks, *options):
        output = support.fresh("deterministic", "refused")
        done = support.train(output, "--deterministic", *options, ranks=ranks)
        self.assertEqual(done.codes, [2] * ranks, done)
        self.assertFalse(output.exists())
        return done.err

    def test_three_ranks(self):
        self.assertIn("1, 2, 4, 8 ranks, not 3", self.refused(3))

    def test_other_combinations(self):
        self.assertIn("power of two", self.refused(1, "--virtual-shards", "6"))
        self.assertIn("1, 2 ranks, not 4", self.refused(4, "--virtual-shards", "2"))
        self.assertIn("--reduce-precision bf16", self.refused(2, "--reduce-precision", "bf16"))
        self.assertIn("--shard-optimizer", self.refused(2, "--shard-optimizer"))


if __name__ == "__main__":
    unittest.main()
