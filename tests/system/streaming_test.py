"""Counts that stay on disk: the same training as with all in memory, on any number of ranks, stopped or not."""
import json
import subprocess
import unittest

import numpy as np

import support

FOLDER = "streaming"
BLOCKS = ["--shuffle-block", "8", "--shuffle-buffer", "100"]
STREAM = [*BLOCKS, "--data-memory", "1e-6"]


def run(name, *arguments, ranks=2, **options):
    output = support.fresh(FOLDER, name)
    done = support.train(output, *arguments, ranks=ranks, **options)
    assert done.codes == [0] * ranks, done
    return output


class Streaming(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.streamed = run("streamed", *STREAM)

    def test_is_what_memory_gives(self):
        held = run("held", *BLOCKS)
        got, want = support.metrics(self.streamed), support.metrics(held)
        self.assertTrue(got["data"]["streamed"])
        self.assertFalse(want["data"]["streamed"])
        for name in ("weights_hash", "embedding_hash", "ari"):
            self.assertEqual(got[name], want[name])
        self.assertNotEqual(got["weights_hash"], support.metrics(support.BASE)["weights_hash"], "another order")

    def test_every_order_of_genes(self):
        for order in ("variable", "coexpression"):
            short = ["--gene-order", order, "--max-steps", "3", "--sequence-epochs", "1"]
            hashes = [support.metrics(run("order", *short, *more))["embedding_hash"] for more in (BLOCKS, STREAM)]
            self.assertEqual(hashes[0], hashes[1])

    def test_deterministic_is_the_same_on_any_number_of_ranks(self):
        short = ["--max-steps", "8", "--sequence-epochs", "2", "--deterministic", "--virtual-shards", "4"]
        hashes = [support.metrics(run("deterministic", *STREAM, *short, ranks=ranks))["weights_hash"]
                  for ranks in (1, 2, 4)]
        self.assertEqual(len(set(hashes)), 1)

    def test_losses_are_equal_on_any_number_of_ranks(self):
        taught = ["--sequence-model", support.BASE / "model", "--max-steps", "14"]
        losses = [np.array([line["loss"] for line in support.steps(run("ranks", *STREAM, *taught, ranks=ranks))])
                  for ranks in (1, 2, 3)]
        for other in losses[1:]:
            np.testing.assert_allclose(other, losses[0], rtol=1e-5)

    def test_each_cell_once_an_epoch(self):
        epochs = [line["order_hash"] for line in support.log_lines(self.streamed)
                  if line.get("event") == "epoch" and line["stage"] == "train"]
        self.assertEqual(len(epochs), 4)
        self.assertEqual(len(set(epochs)), 4)

    def test_killed_in_the_middle_of_an_epoch(self):
        output = support.fresh(FOLDER, "killed")
        arguments = [*STREAM, "--checkpoint-every-steps", "4"]
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--labels", "group", "--output", output,
                                  *support.SMALL, *arguments)
        reached = support.wait_for(lambda: any(line["step"] >= 9 for line in support.whole_steps(output)), 120, running)
        running.kill()
        self.assertTrue(reached)
        self.assertFalse((output / "result.h5ad").exists())
        other = support.train(output, *arguments, "--shuffle-block", "9")
        self.assertEqual(other.codes, [2, 2], "another order is another run")
        # Where the rows are does not matter.
        done = support.train(output, *BLOCKS, "--checkpoint-every-steps", "4")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(output)["weights_hash"], support.metrics(self.streamed)["weights_hash"])

    def test_all_cells_at_once_need_memory(self):
        output = support.fresh(FOLDER, "refused")
        done = support.train(output, "--data-memory", "1e-6")
        self.assertEqual(done.codes, [2, 2], done)
        for word in ("--data-memory", "--shuffle-block"):
            self.assertIn(word, done.err)
        self.assertFalse(output.exists())

    def test_rows_on_disk_cannot_stay_on_the_device(self):
        done = support.train(support.fresh("streaming", "device"), *STREAM, "--data-on-device", "yes")
        self.assertEqual(done.codes, [2, 2], done)
        for word in ("--data-on-device", "--data-memory"):
            self.assertIn(word, done.err)

    def test_plan_tells_the_memory(self):
        def plan(*arguments):
            done = subprocess.run([support.program("masksc_train"), "--plan", "--json", *arguments],
                                  capture_output=True, text=True, timeout=60, env=support.environment())
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)["host_counts_bytes"]

        small, large = plan(), plan("--plan-cells", "100000000", "--plan-density", "0.05", "--data-memory", "4")
        self.assertEqual((small["shuffle_block"], small["streams"]), (0, None))
        self.assertEqual((large["shuffle_block"], large["streams"]), (256, True))
        self.assertLess(large["streamed"], large["resident"] / 50)


if __name__ == "__main__":
    unittest.main()
