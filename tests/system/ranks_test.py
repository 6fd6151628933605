"""Training on N ranks is training on one."""
import subprocess
import unittest

import numpy as np

import support


class Ranks(unittest.TestCase):
    """20 steps of stage 2 from one saved stage 1."""

    losses = {}

    @classmethod
    def setUpClass(cls):
        for ranks in (1, 2, 3, 4, 8):
            output = support.fresh("ranks", str(ranks))
            done = support.train(output, "--sequence-model", support.BASE / "model", "--max-steps", "20", ranks=ranks)
            assert done.codes == [0] * ranks, done
            cls.losses[ranks] = np.array([line["loss"] for line in support.steps(output)])

    def test_all_take_the_same_number_of_steps(self):
        self.assertEqual({ranks: len(losses) for ranks, losses in self.losses.items()}, dict.fromkeys(self.losses, 20))

    def test_losses_are_equal(self):
        for ranks in (2, 3, 4, 8):
            np.testing.assert_allclose(self.losses[ranks], self.losses[1], rtol=1e-5, err_msg=f"{ranks} ranks")

    def test_sequence_encoder_is_not_trained_again(self):
        self.assertEqual(support.steps(support.WORK / "ranks" / "2", "sequence"), [])

    def test_results_say_how_many_ranks(self):
        for ranks in (1, 8):
            self.assertEqual(support.metrics(support.WORK / "ranks" / str(ranks))["ranks"], ranks)

    def test_saved_sequence_encoder_gives_the_base_runs_loss(self):
        # Only the first step: --max-steps bends the schedule of the learning rate.
        self.assertAlmostEqual(self.losses[2][0], support.steps(support.BASE)[0]["loss"], places=6)


class Processors(unittest.TestCase):
    """Kernels of LibTorch for processors of other kinds, on one rank of two."""

    def errors_beside(self, capability):
        output = support.fresh("ranks", f"mixed_{capability}")
        options = ["--input", support.SIMULATED, "--output", output, "--labels", "group",
                   *support.without(support.SMALL, ["--epochs"]), "--epochs", "1"]
        other = f'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then export ATEN_CPU_CAPABILITY={capability}; fi; exec "$@"'
        done = subprocess.run(support.mpirun(2, ["sh", "-c", other, "sh", support.program("masksc_train"), *options]),
                              capture_output=True, text=True, env=support.environment(), timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_ranks_that_round_otherwise_are_told(self):
        errors = self.errors_beside("default")
        self.assertIn("rank 1 computes with DEFAULT on host", errors)
        self.assertIn("rank 1 rounds otherwise than rank 0", errors)

    def test_vectors_of_another_width_round_alike(self):
        errors = self.errors_beside("avx2")
        self.assertNotIn("rank 1 computes", errors)
        self.assertNotIn("rounds otherwise", errors)


if __name__ == "__main__":
    unittest.main()
