"""masksc_sweep: points spread over ranks, killed and resumed, failed, stopped."""
import csv
import fcntl
import json
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree

import h5py

import support

GRID = ["--sweep", "mask-ratio=0.5,0.75", "--sweep", "dim=16,32"]
QUICK = ["--epochs", "2", "--sequence-epochs", "2"]


def arguments(output, *more):
    return [*support.without(["--input", support.SIMULATED], more), "--labels", "group", "--output", output,
            *support.without(support.SMALL, [*QUICK, *more]), *QUICK, *more]


def sweep(output, *more, ranks=2):
    return support.run("masksc_sweep", *arguments(output, *more), ranks=ranks)


def direct(*more):
    return subprocess.run([support.program("masksc_sweep"), *map(str, more)], capture_output=True, text=True, timeout=60,
                          env=support.environment())


def rows(output):
    with open(output / "sweep.csv", newline="") as file:
        return {row["point"]: row for row in csv.DictReader(file)}


def scores(output):
    return {name: [row[key] for key in ("ari", "nmi", "silhouette", "loss")] for name, row in rows(output).items()}


def finished(output):
    """When each point that is done wrote its metrics."""
    done = [p for p in (output / "points").glob("*.json") if json.loads(p.read_text())["status"] == "done"]
    return {p.stem: (output / "points" / p.stem / "metrics.json").stat().st_mtime_ns for p in done}


class Input(unittest.TestCase):
    def test_is_known_by_what_it_holds(self):
        output = support.fresh("sweep", "input")
        output.parent.mkdir(parents=True, exist_ok=True)
        cells = output.with_suffix(".h5ad")
        shutil.copy(support.SIMULATED, cells)

        def run(where, *more):
            return sweep(output, "--sweep", "mask-ratio=0.5", "--input", where, *more, ranks=1)

        done = run(cells)
        self.assertEqual(done.codes, [0], done)
        before = finished(output)
        moved = cells.with_name("moved.h5ad")
        shutil.copy(cells, moved)  # written later, elsewhere
        again = run(moved)
        self.assertEqual(again.codes, [0], again)
        self.assertEqual(finished(output), before)
        with h5py.File(moved, "r+") as file:
            file["X/data"][0] += 1
        other = run(moved)
        self.assertEqual(other.codes, [2], other)
        self.assertIn("input content", other.err)
        self.assertEqual(finished(output), before)


class Grid(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = support.fresh("sweep", "grid")
        cls.done = sweep(cls.output, *GRID)

    def test_1_every_point_is_a_run(self):
        self.assertEqual(self.done.codes, [0, 0], self.done)
        self.assertEqual(sorted(rows(self.output)), [
            "mask-ratio=0.5_dim=16_seed=0", "mask-ratio=0.5_dim=32_seed=0", "mask-ratio=0.75_dim=16_seed=0",
            "mask-ratio=0.75_dim=32_seed=0"])
        for name, row in rows(self.output).items():
            folder = self.output / "points" / name
            metrics = support.metrics(folder)
            self.assertEqual([float(row[key]) for key in ("ari", "silhouette_pca")],
                             [metrics[key] for key in ("ari", "silhouette_pca")])
            decided = ("clusters_in", "guided_by", "standardize")
            self.assertEqual([row[key] for key in decided], [metrics[key] for key in decided])
            self.assertEqual(metrics["ranks"], 1)
            self.assertEqual(row["status"], "done")
            self.assertTrue((folder / "result.h5ad").exists())
            values = re.findall(r"^(mask-ratio|dim) = (\S+)$", (folder / "config.ini").read_text(), re.MULTILINE)
            self.assertEqual({row[option] for option, _ in values}, {value for _, value in values})
        self.assertRegex(self.done.err, r"point 4 of 4 done: mask-ratio=\S+, ARI [01]\.\d+, silhouette \(PCA\) -?[01]\.\d+, [\d.]+ s")
        self.assertIn("| mask-ratio | dim | seeds | ARI |", self.done.out)
        whole = json.loads((self.output / "sweep.json").read_text())
        self.assertEqual(len(whole["summary"]), 4)
        of_components = sum(row["clusters_in"] == "components" for row in rows(self.output).values())
        self.assertEqual(f"In {of_components} of 4 runs the clusters are" in self.done.out, of_components > 0)
        self.assertEqual((whole["input"], whole["labels"]), ([str(support.SIMULATED)], "group"))
        self.assertTrue((self.output / "sweep.md").read_text().startswith(f"4 runs on `{support.SIMULATED}`, labels `group`, by"))
        page = support.page_data(self.output / "report.html")
        self.assertEqual((page["command"], page["sweep"]), (whole["command"], whole))
        for name in ("sweep_heatmap.svg", "sweep_curves.svg"):
            xml.etree.ElementTree.parse(self.output / name)
        self.assertFalse((self.output / "points" / ".session").exists())

    def test_2_what_is_done_is_not_done_again(self):
        before = finished(self.output)
        again = sweep(self.output, "--sweep", "mask-ratio=0.25,0.5,0.75", "--sweep", "dim=16,32")
        self.assertEqual(again.codes, [0, 0], again)
        self.assertIn("4 of 6 points are there already", again.err)
        after = finished(self.output)
        self.assertEqual(len(after), 6)
        self.assertEqual({name: after[name] for name in before}, before)
        fewer = sweep(self.output, "--sweep", "mask-ratio=0.25", "--sweep", "dim=16,32", "--collect")
        self.assertEqual(fewer.codes, [0, 0], fewer)
        self.assertIn("4 points of other values or seeds, which the tables leave out", fewer.err)
        self.assertEqual(len(rows(self.output)), 2)
        whole = sweep(self.output, "--sweep", "mask-ratio=0.25,0.5,0.75", "--sweep", "dim=16,32", "--collect")
        self.assertEqual((whole.codes, len(rows(self.output))), ([0, 0], 6), whole)

    def test_3_one_program_at_a_time(self):
        with open(self.output / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = sweep(self.output, *GRID)
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("is in use by", done.err)

    def test_3_other_settings_are_refused(self):
        done = sweep(self.output, *GRID, "--learning-rate", "0.002")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("learning-rate = 0.001, now it is 0.002", done.err)
        self.assertIn("--overwrite", done.err)

    def test_4_killed_and_resumed_it_gives_the_same(self):
        output = support.fresh("sweep", "killed")
        running = support.Running("masksc_sweep", *arguments(output, *GRID))
        self.assertTrue(support.wait_for(lambda: list((output / "points").glob("*.json")), support.patience(60), running))
        running.kill()
        before = finished(output)
        self.assertGreater(len(before), 0)
        self.assertLess(len(before), 4)
        done = sweep(output, *GRID)
        self.assertEqual(done.codes, [0, 0], done)
        after = finished(output)
        self.assertEqual({name: after[name] for name in before}, before)
        whole = scores(self.output)
        self.assertEqual(scores(output), {name: whole[name] for name in scores(output)})
        self.assertEqual(len(after), 4)


class Troubles(unittest.TestCase):
    def test_a_failed_point_is_a_row(self):
        output = support.fresh("sweep", "failed")
        done = sweep(output, "--sweep", "clusters=400,4", "--seeds", "2")  # 290 cells
        self.assertEqual(done.codes, [2, 2], done)
        found = rows(output)
        self.assertEqual([found[f"clusters=4_seed={seed}"]["status"] for seed in (0, 1)], ["done", "done"])
        self.assertEqual(found["clusters=400_seed=1"]["status"], "failed")
        self.assertIn("400", found["clusters=400_seed=1"]["error"])
        self.assertIn("failed: clusters=400_seed=0", done.err)
        shown = re.search(r"\| 4 \| 2 \| (\d\.\d{3}) ± ", (output / "sweep.md").read_text())
        self.assertTrue(shown, (output / "sweep.md").read_text())
        mean = sum(float(found[f"clusters=4_seed={seed}"]["ari"]) for seed in (0, 1)) / 2
        self.assertAlmostEqual(float(shown[1]), mean, delta=0.00051)

    def test_wrong_sweeps_are_refused_before_anything_runs(self):
        for wrong, words in [("mask-ration=0.5", ["mask-ration", "mask-ratio"]), ("mask-ratio=0.5,2", ["2", "mask-ratio"]),
                             ("dim=16,many", ["dim", "'many'"]), ("mask-ratio=", ["mask-ratio=", "empty"]),
                             ("seed=1,2", ["--seeds"]), ("output=a,b", ["output"]), ("mask-ratio", ["OPTION=VALUE"]),
                             ("ranks-per-point=1,9", ["9 ranks", "there are 1"])]:
            with self.subTest(wrong=wrong):
                output = support.fresh("sweep", "refused")
                done = direct(*arguments(output, "--sweep", wrong))
                self.assertEqual(done.returncode, 2, done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.assertFalse(output.exists())

    def test_a_rank_that_fails_alone_ends_the_sweep(self):
        """The other rank of its point waits for it in the middle of a run: no table can be made, and all are told."""
        output = support.fresh("sweep", "alone")
        options = arguments(output, "--sweep", "dim=16,32", "--ranks-per-point", "2", "--epochs", "40",
                            "--checkpoint-every-steps", "4", "--stall-timeout", "6")
        running = support.Running("masksc_sweep", *options)
        self.addCleanup(running.kill)
        ranks = lambda: list((output / "points").glob("*/ranks/1.json"))
        steps = lambda: [line["step"] for path in ranks() for line in support.whole_steps(path.parent.parent)]
        self.assertTrue(support.wait_for(lambda: max(steps(), default=0) >= 8, support.patience(60), running))
        pid = json.loads(ranks()[0].read_text())["pid"]
        since = time.monotonic()
        resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
        error = running.process.communicate(timeout=support.patience(60))[1]
        self.assertLess(time.monotonic() - since, support.patience(30), error)
        self.assertNotEqual(running.process.returncode, 0, error)
        # Where it next asks for memory: mostly a checkpoint, but the allocator may have enough for all of the training.
        self.assertRegex(error, r"error rank 1 \(host \S+, pid \d+\) ended in stage (train at step \d+|embed): ")
        failed = [json.loads(path.read_text()) for path in (output / "points").glob("*.json")]
        self.assertEqual([record["status"] for record in failed], ["failed"])
        done = support.run("masksc_sweep", *options)
        self.assertEqual(done.codes, [0, 0], done)
        resumed = [line["step"] for path in ranks() for line in support.log_lines(path.parent.parent)
                   if line.get("event") == "resumed"]
        self.assertEqual([step > 0 for step in resumed], [True])

    def test_stops_by_a_signal_and_says_so(self):
        output = support.fresh("sweep", "stopped")
        running = support.Running("masksc_sweep", *arguments(output, *GRID, "--epochs", "100000"))
        logs = lambda: [p for p in (output / "points").glob("*") if p.is_dir() and len(support.whole_steps(p)) > 1]
        self.assertTrue(support.wait_for(lambda: len(logs()) == 2, support.patience(60), running))
        running.process.send_signal(signal.SIGUSR1)
        error = running.process.communicate(timeout=support.patience(30))[1]
        self.assertEqual(running.process.returncode, 75, error)
        self.assertEqual(error.count("stopped on request (signal USR1) with 0 of 4 points done"), 1, error)
        for folder in logs():
            self.assertTrue(list((folder / "checkpoints").glob("*")))
        self.assertEqual({row["status"] for row in rows(output).values()}, {"missing"})


class Listed(unittest.TestCase):
    def test_star_of_our_configuration(self):
        done = direct("--config", support.ROOT / "configs" / "sweep_figure5.ini", "--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        names = [line.split("\t")[1] for line in done.stdout.splitlines()]
        self.assertEqual(names[0], "base_seed=0")
        self.assertEqual(len(names), 8)
        self.assertIn("matrix=100x100_seed=0", names)

    def test_one_point_as_a_task_and_the_tables_afterwards(self):
        output = support.fresh("sweep", "array")
        options = arguments(output, "--sweep", "dim=16,32", "--max-steps", "2")
        self.assertEqual(direct(*options, "--point", "1").returncode, 0)
        self.assertEqual(sorted(p.name for p in output.iterdir()), ["points"])
        self.assertEqual(direct(*options, "--collect").returncode, 75, "a point is missing")
        self.assertEqual({name: row["status"] for name, row in rows(output).items()},
                         {"dim=16_seed=0": "missing", "dim=32_seed=0": "done"})
        self.assertIn("0 to 1", direct(*options, "--point", "2").stderr)

    def test_a_task_looks_at_its_own_point_alone(self):
        output = support.fresh("sweep", "tasks")
        options = arguments(output, "--sweep", "dim=16,32")
        for point in ("0", "1"):
            self.assertEqual(direct(*options, "--point", point, "--max-steps", "1").returncode, 0)
        done = direct(*options, "--point", "1", "--max-steps", "2", "--overwrite")
        self.assertEqual(done.returncode, 0, "point 0 is of other settings: " + done.stderr)

    def test_weak_scaling_of_a_task(self):
        output = support.fresh("sweep", "weak")
        done = support.run("masksc_sweep", *arguments(output, "--sweep", "dim=16", "--scaling", "weak", "--max-steps", "1",
                                                      "--batch-size", "16", "--point", "0"))
        self.assertEqual(done.codes, [0, 0], done)
        self.assertIn("batch-size = 32\n", (output / "points" / "dim=16_seed=0" / "config.ini").read_text())

    def test_a_task_of_a_sweep_over_ranks_has_those_of_its_point(self):
        output = support.fresh("sweep", "ranks-task")
        done = support.run("masksc_sweep", *arguments(output, "--design", "star", "--sweep", "ranks-per-point=1,2",
                                                      "--max-steps", "1", "--point", "0"))
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(output / "points" / "base_seed=0")["ranks"], 1)

    def test_plan_of_the_scaling_sweep(self):
        done = direct("--config", support.ROOT / "configs" / "sweep_scaling.ini", "--plan", "--json", "--sweep",
                      "ranks-per-point=1,8", "--batch-size", "64")
        self.assertEqual(done.returncode, 0, done.stderr)
        points = json.loads(done.stdout)["points"]
        self.assertEqual(len(points), 16)
        for point in points:
            self.assertAlmostEqual(point["efficiency"], 1, delta=1e-9 if point["ranks"] == 1 else 1)
            weak = point["values"]["scaling"] == "weak" and point["ranks"] == 8
            self.assertEqual(point["batch"] > 400, weak)


if __name__ == "__main__":
    unittest.main()
