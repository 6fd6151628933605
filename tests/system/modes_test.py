"""Files that hold data are readable by their owner only, whatever the umask of the user."""
import os
import stat
import unittest

import h5py

import support

FOLDER = "modes"


class Modes(unittest.TestCase):
    def setUp(self):
        self.before = os.umask(0)
        self.addCleanup(os.umask, self.before)
        self.folder = support.fresh(FOLDER)
        self.folder.mkdir(parents=True)

    def check(self, *roots, at_least=1):
        paths = [path for root in roots for path in [root, *root.rglob("*")]]
        self.assertGreaterEqual(len(paths), at_least)
        for path in paths:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                self.assertEqual(stat.S_IMODE(mode) & 0o077, 0, f"{path}: {stat.filemode(mode)}")

    def test_of_a_run(self):
        output = self.folder / "nested" / "run"
        done = support.train(output, "--checkpoint-every-steps", "5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertTrue((output / "result.h5ad").exists())
        self.check(output, at_least=8)
        self.assertEqual(stat.S_IMODE((output / "metrics.json").stat().st_mode), 0o600)

    def test_of_a_run_that_is_stopped(self):
        """What only an interrupted run has: the prepared counts, checkpoints."""
        output = self.folder / "stopped"
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output, *support.SMALL,
                                  "--epochs", "100000", "--checkpoint-every-steps", "2")
        self.addCleanup(running.kill)
        self.assertTrue(support.wait_for(lambda: len(support.steps(output)) > 3, support.patience(60), running))
        self.assertTrue((output / ".prepared.h5").exists())
        running.kill()
        self.check(output, at_least=5)

    def test_of_the_other_programs(self):
        simulated, prepared = self.folder / "simulated.h5ad", self.folder / "prepared.h5"
        done = support.run("masksc_simulate", "--cells", "50", "--genes", "60", "--groups", "2", "--output", simulated)
        self.assertEqual(done.codes, [0, 0], done)
        done = support.run("masksc_prepare", "--input", simulated, "--output", prepared)
        self.assertEqual(done.codes, [0, 0], done)
        self.check(simulated, prepared)
        with h5py.File(simulated) as file:
            self.assertIn("X", file)


if __name__ == "__main__":
    unittest.main()
