"""Real cells, briefly: every data set goes through, worm within its memory."""
import subprocess
import unittest

import anndata

import support


def need(name):
    path = support.DATA / name
    if not path.exists():
        raise AssertionError(f"{path} is missing: launch/download_data.sh fetches it")
    return path


class Pbmc(unittest.TestCase):
    def test_two_epochs_already_cluster(self):
        output = support.fresh("real", "pbmc")
        done = support.train(output, "--config", support.ROOT / "configs" / "pbmc_cpu.ini", "--sequence-epochs", "5",
                             "--epochs", "2", "--clusters", "8", data=need("10X_PBMC_top2000.h5"), labels="Y",
                             small=False, timeout=500)
        self.assertEqual(done.codes, [0, 0], done)
        metrics = support.metrics(output)
        self.assertEqual((metrics["cells"], metrics["clusters"]), (4271, 8))
        self.assertGreater(metrics["ari"], 0.4)
        result = anndata.read_h5ad(output / "result.h5ad")
        self.assertEqual(result.obsm["X_masksc"].shape, (4271, 128))
        self.assertEqual(result.obs["masksc"].nunique(), 8)


class Worm(unittest.TestCase):
    def test_preparation_stays_within_its_memory(self):
        prepared = support.fresh("real", "worm.h5")
        measured = subprocess.run(["/usr/bin/env", "python3", "-c", PEAK, support.program("masksc_prepare"), "--input",
                                   need("worm_neuron_cell.h5"), "--labels", "Y", "--output", prepared],
                                  capture_output=True, text=True, env=support.environment())
        self.assertEqual(measured.returncode, 0, measured.stderr)
        self.assertLess(int(measured.stdout.splitlines()[-1]), 1.2 * 2**20)  # KiB


# Runs a command and prints the largest resident set of it, in KiB.
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


class Bladder(unittest.TestCase):
    def test_goes_through(self):
        output = support.fresh("real", "bladder")
        done = support.train(output, "--config", support.ROOT / "configs" / "worm_cpu.ini", "--sequence-epochs", "1",
                             "--max-steps", "3", "--clusters", "16", data=need("mouse_bladder_cell.h5"), labels="Y",
                             small=False, timeout=300)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(output)["cells"], 2100)


if __name__ == "__main__":
    unittest.main()
