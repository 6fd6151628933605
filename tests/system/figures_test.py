"""The figures of the README: whole runs on real data, for seeds 0, 1, 2 (about an hour and a half)."""
import pathlib
import shutil
import statistics
import subprocess
import unittest

import support


class Figures(unittest.TestCase):
    def mean(self, name, config, data, clusters, minutes):
        runs = []
        for seed in (0, 1, 2):
            output = support.fresh("figures", f"{name}-{seed}")
            done = support.train(output, "--config", support.ROOT / "configs" / config, "--clusters", clusters,
                                 "--seed", seed, data=support.DATA / data, labels="Y", small=False, timeout=3600)
            self.assertEqual(done.codes, [0, 0], done)
            runs.append(support.metrics(output))
            print(name, seed, {k: round(runs[-1][k], 3) for k in ("ari", "nmi", "silhouette")}, runs[-1]["seconds"],
                  flush=True)
            self.assertLess(runs[-1]["seconds"]["total"], 60 * minutes)
        return [statistics.mean(run[k] for run in runs) for k in ("ari", "nmi", "silhouette")]

    def check(self, means, floors):
        for mean, floor, name in zip(means, floors, ("ari", "nmi", "silhouette")):
            self.assertGreaterEqual(mean, floor, (name, means))

    def test_pbmc(self):
        self.check(self.mean("pbmc", "pbmc_cpu.ini", "10X_PBMC_top2000.h5", 8, 15), (0.77, 0.77, 0.65))

    def test_worm(self):
        self.check(self.mean("worm", "worm_cpu.ini", "worm_neuron_cell.h5", 10, 20), (0.52, 0.70, 0.45))

    def test_fast_recipe(self):
        for name, data, clusters, floors in [("pbmc", "10X_PBMC_top2000.h5", 8, (0.765, 0.77, 0.60)),
                                             ("worm", "worm_neuron_cell.h5", 10, (0.54, 0.69, 0.43)),
                                             ("bladder", "mouse_bladder_cell.h5", 16, (0.50, 0.73, 0.44))]:
            self.check(self.mean(f"fast-{name}", "fast.ini", data, clusters, 5), floors)

    def test_quick_start(self):
        folder = support.fresh("figures", "quickstart")
        for attempt in range(2):
            done = subprocess.run([support.ROOT / "launch" / "quickstart.sh", folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout + done.stderr, "(?i)finished")
        metrics = support.metrics(folder / "result")
        self.assertGreaterEqual(metrics["ari"], 0.95)
        self.assertLess(metrics["seconds"]["total"], 180)

    @unittest.skipUnless("avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text(),
                         "this CPU has no instructions for bf16, which would take many times as long")
    def test_losses_in_bf16_over_the_quick_start(self):
        folder = support.fresh("figures", "bf16")
        folder.mkdir(parents=True)
        support.run("masksc_simulate", "--cells", "2000", "--genes", "2000", "--groups", "5", "--seed", "0", "--output",
                    folder / "cells.h5ad")
        losses = []
        for precision in ("fp32", "bf16"):
            output = folder / precision
            done = support.train(output, "--config", support.ROOT / "configs" / "quickstart.ini", "--precision",
                                 precision, data=folder / "cells.h5ad", labels="group", small=False, timeout=600)
            self.assertEqual(done.codes, [0, 0], done)
            self.assertGreaterEqual(support.metrics(output)["ari"], 0.95)
            epochs = {}
            for step in support.steps(output):
                epochs.setdefault((step["epoch"] - 1) // 4, []).append(step["loss"])
            losses.append([statistics.mean(steps) for steps in epochs.values()])
        self.assertEqual(len(losses[0]), 10)
        apart = [abs(bf16 / fp32 - 1) for fp32, bf16 in zip(*losses)]  # of four epochs: single steps go other ways
        print("bf16 beside fp32, losses of four epochs:", [f"{100 * x:.2f} %" for x in apart], flush=True)
        self.assertLess(max(apart), 0.02)

    def test_paper_configuration_takes_two_steps(self):
        # Few cells: embedding one without a mask takes 44 GFLOP, all of worm half an hour.
        folder = support.fresh("figures", "paper-data")
        folder.mkdir(parents=True)
        support.run("masksc_simulate", "--cells", "48", "--genes", "6000", "--output", folder / "cells.h5ad")
        output = support.fresh("figures", "paper")
        done = support.train(output, "--config", support.ROOT / "configs" / "paper.ini", "--batch-size", "4",
                             "--max-steps", "2", "--sequence-epochs", "1", "--clusters", "5",
                             data=folder / "cells.h5ad", labels="group", small=False, timeout=5400)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(len(support.steps(output)), 2)
        shutil.rmtree(output)


if __name__ == "__main__":
    unittest.main()
