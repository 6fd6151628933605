"""The proof of exact resumption, at length: kills at 30 moments, changing numbers of ranks, memory over 2000 steps.

Each part prints a line that launch/proof.sh gathers into its table."""
import pathlib
import time
import unittest

import numpy as np

import kills
import support

MODEL = ["--labels", "group", *support.without(support.SMALL, ["--epochs", "--sequence-epochs", "--report"]), "--threads", "1"]
EPOCHS, SEQUENCE_EPOCHS, BATCH, CELLS = 4, 3, 50, 1200
STEPS_PER_EPOCH = CELLS // BATCH
TRAIN_STEPS = EPOCHS * STEPS_PER_EPOCH
SEQUENCE_STEPS = SEQUENCE_EPOCHS * CELLS // 200


def figure(text):
    print(f"FIGURE {text}", flush=True)


class Kills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = support.fresh("kill", "cells.h5ad")
        made = support.run("masksc_simulate", "--cells", CELLS, "--genes", 400, "--groups", support.GROUPS, "--seed", 5,
                           "--de-probability", 0.6, "--output", cls.data, ranks=1)
        assert made.codes == [0], made
        cls.options = ["--input", cls.data, *MODEL, "--epochs", str(EPOCHS), "--sequence-epochs", str(SEQUENCE_EPOCHS)]

    def run_whole(self, name, *more, ranks=2):
        output = support.fresh("kill", name)
        done = support.run("masksc_train", *self.options, *more, "--output", output, ranks=ranks)
        self.assertEqual(done.codes, [0] * ranks, done)
        return output

    def test_thirty_kills_change_no_bit(self):
        expected = kills.result(self.run_whole("never"))
        equal = 0
        moments = kills.random_moments(30, 42, SEQUENCE_STEPS, TRAIN_STEPS, STEPS_PER_EPOCH)
        for number, moment in enumerate(moments):
            with self.subTest(moment=str(moment)):
                # Right after the first step only a save of every step leaves something to go on from.
                cadence = 1 if moment.step <= 2 else 2 if moment.stage == "sequence" else (3, 7)[number % 2]
                options = [*self.options, "--checkpoint-every-steps", str(cadence)]
                if number % 3 == 2:
                    options.append("--async-checkpoint")
                output = support.fresh("kill", f"run{number}")
                self.assertTrue(kills.killed(output, moment, options), f"{moment} never came")
                before = support.log_lines(output)
                self.assertFalse((output / "metrics.json").exists(), "it had ended")
                done = support.run("masksc_train", *options, "--output", output)
                self.assertEqual(done.codes, [0, 0], done)
                self.assertEqual(kills.result(output), expected)
                after = support.log_lines(output)[len(before):]
                self.check_goes_on(before, after, (2 if "--async-checkpoint" in options else 1) * cadence)
                equal += 1
        figure(f"SIGKILL at {len(moments)} moments, 2 ranks | {equal} of {len(moments)} end bit-identical")

    def check_goes_on(self, before, after, most_repeated):
        """In the stage where it was, after the last save, with few steps done again. (A save in the background is good
        when the next one begins, at the latest.)"""
        stage, reached = [(line["stage"], line["step"]) for line in before if "loss" in line][-1]
        saved = max((line["step"] for line in before if line["stage"] == stage and line.get("event") == "checkpoint"),
                    default=0)
        resumed = dict(reversed(kills.resumed_steps(after)))
        again = [line for line in after if line["stage"] == "sequence" and "loss" in line]
        if (stage, reached, again) == ("sequence", SEQUENCE_STEPS, []):
            return  # killed in the last step of stage 1, whose encoder had been saved: stage 2 begins
        if saved > 0:
            self.assertGreaterEqual(resumed[stage], saved)
        else:  # at the beginning of stage 2: stage 1 is not done again
            self.assertEqual((stage, again), ("train", []))
        self.assertLessEqual(reached - resumed.get(stage, 0), most_repeated)

    def test_deterministic_over_changing_ranks(self):
        more = ["--deterministic", "--checkpoint-every-steps", "5"]
        whole = self.run_whole("deterministic", *more, ranks=1)
        output = support.fresh("kill", "ranks")
        options = [*self.options, *more]
        for ranks, moment in [(2, kills.Moment("step", "sequence", 8)), (1, kills.Moment("step", "train", 14)),
                              (4, kills.Moment("step", "train", 41)), (8, kills.Moment("step", "train", 77))]:
            self.assertTrue(kills.killed(output, moment, options, ranks=ranks), f"{ranks} ranks: {moment}")
        done = support.run("masksc_train", *options, "--output", output, ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(kills.result(output), kills.result(whole))
        self.check_each_cell_once(output, whole)
        figure("--deterministic, killed on 2, 1, 4, 8 ranks, ended on 2 | bit-identical to 1 rank, each cell once an epoch")

    def check_each_cell_once(self, output, whole):
        """The last line of each step tells which cells of the epoch's order it used; orders agree over all restarts."""
        orders, used = {}, {}
        for line in support.log_lines(output):
            if line["stage"] != "train":
                continue
            if line.get("event") == "epoch":
                self.assertEqual(orders.setdefault(line["epoch"], line["order_hash"]), line["order_hash"])
            if "loss" in line:
                used[line["step"]] = (line["epoch"], *line["cells"])
        self.assertEqual(orders, {line["epoch"]: line["order_hash"] for line in support.log_lines(whole)
                                  if line.get("event") == "epoch"})
        self.assertEqual(sorted(used), list(range(1, TRAIN_STEPS + 1)))
        for epoch in range(1, EPOCHS + 1):
            ranges = [used[step][1:] for step in sorted(used) if used[step][0] == epoch]
            self.assertEqual(ranges[0][0], 0)
            self.assertEqual(ranges[-1][1], CELLS)
            self.assertTrue(all(a[1] == b[0] for a, b in zip(ranges, ranges[1:])))

    def test_other_numbers_of_ranks_without_it(self):
        whole = self.run_whole("alone", ranks=1)
        more = ["--sequence-model", whole / "model", "--checkpoint-every-steps", "5"]
        output = support.fresh("kill", "changing")
        options = [*self.options, *more]
        for ranks, step in [(3, 20), (1, 50)]:
            self.assertTrue(kills.killed(output, kills.Moment("step", "train", step), options, ranks=ranks))
        done = support.run("masksc_train", *options, "--output", output, ranks=5)
        self.assertEqual(done.codes, [0] * 5, done)
        losses = {line["step"]: line["loss"] for line in support.steps(output)}
        expected = {line["step"]: line["loss"] for line in support.steps(whole)}
        self.assertEqual(sorted(losses), sorted(expected))
        apart = max(abs(losses[step] / expected[step] - 1) for step in expected)
        self.assertLess(apart, 1e-5)
        figure(f"ranks 3, 1, 5 from one stage-1 checkpoint | losses within {apart:.1e} of one rank")


class Memory(unittest.TestCase):
    def test_two_thousand_steps_with_checkpoints_keep_memory_flat(self):
        output = support.fresh("kill", "memory")
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output, "--labels", "group",
                                  *support.without(support.SMALL, ["--epochs"]), "--epochs", "334", "--threads", "1",
                                  "--checkpoint-every-steps", "20", "--async-checkpoint")
        samples = []  # (step, resident bytes of the largest rank)
        while running.process.poll() is None:
            step = kills.last_step(output, "train")
            resident = [rss for rss in resident_of(running.process.pid) if rss]
            if step > 0 and resident:
                samples.append((step, max(resident)))
            time.sleep(0.5)
        self.assertEqual(running.process.returncode, 0)
        self.assertGreaterEqual(len(support.steps(output)), 2000)
        warm = [rss for step, rss in samples if 200 <= step <= 1990]
        self.assertGreater(len(warm), 5)
        third = len(warm) // 3
        growth = np.median(warm[-third:]) / np.median(warm[:third]) - 1
        self.assertLess(growth, 0.02)
        figure(f"2004 steps, 100 checkpoints | resident memory {100 * growth:+.1f} % from the first to the last third")


def resident_of(session):
    """Resident bytes of masksc_train's processes in a session."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)
            if fields[0].endswith("(masksc_train") and int(fields[1].split()[3]) == session:
                yield int((folder / "statm").read_text().split()[1]) * 4096
        except (OSError, IndexError, ValueError):
            pass


if __name__ == "__main__":
    unittest.main()
