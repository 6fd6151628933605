"""--tensorboard: event files, read back by TensorBoard itself, hold the steps of log.jsonl, each once."""
import math
import os
import pathlib
import unittest

import resume_test
import support

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
except ImportError:
    EventAccumulator = None


def files(output):
    return sorted((pathlib.Path(output) / "tensorboard").iterdir())


def curves(output):
    """(step, value, wall time) by tag, in the order of the file. A damaged record ends the reading: steps are missed."""
    accumulator = EventAccumulator(str(pathlib.Path(output) / "tensorboard"), size_guidance={"scalars": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    return {tag: [(e.step, e.value, e.wall_time) for e in accumulator.Scalars(tag)] for tag in tags}


def logged(output, stage, encoder=None):
    """The last line of each step."""
    lines = [line for line in support.steps(output, stage) if line.get("encoder") == encoder]
    return [line for _, line in sorted({line["step"]: line for line in lines}.items())]


@unittest.skipIf(EventAccumulator is None, "no TensorBoard to read with: launch/setup.sh installs it")
class Board(unittest.TestCase):
    def check(self, output, stage, group=None, encoder=None):
        lines = logged(output, stage, encoder)
        self.assertGreater(len(lines), 0)
        found = curves(output)
        names = ["loss", "learning_rate", "gradient_norm", "cells_per_second", "epoch"]
        for name in names + (["masked_loss", "guidance_loss"] if stage == "train" else []):
            points = found[f"{group or stage}/{name}"]
            self.assertEqual([step for step, _, _ in points], [line["step"] for line in lines], name)
            for (_, value, seconds), line in zip(points, lines):
                self.assertTrue(math.isclose(value, line[name], rel_tol=1e-6), (name, value, line))
                self.assertAlmostEqual(seconds, line["time"], 3)
        return found

    def test_of_a_whole_run(self):
        output = support.fresh("tensorboard", "whole")
        done = support.train(output, "--tensorboard")
        self.assertEqual(done.codes, [0, 0], done)
        self.check(output, "sequence")
        found = self.check(output, "train")
        self.assertEqual({tag for tag in found if tag.startswith("train/seconds/")},
                         {f"train/seconds/{part}" for part in logged(output, "train")[0]["seconds"]})
        self.assertEqual(support.metrics(output)["weights_hash"], support.metrics(support.BASE)["weights_hash"])
        (file,) = files(output)  # rank 0 alone writes
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        events = list(EventFileLoader(str(file)).Load())
        self.assertEqual(events[0].file_version, "brain.Event:2")
        self.assertEqual(len(events), 2 + len(logged(output, "sequence")) + len(logged(output, "train")))

    def test_killed_and_resumed_has_each_step_once(self):
        output = support.fresh("tensorboard", "killed")
        arguments = ["--tensorboard", "--checkpoint-every-steps", "10"]
        self.assertTrue(resume_test.killed_after(output, "train", 15, *arguments))
        (before,) = files(output)
        os.truncate(before, before.stat().st_size - 3)  # as a killed machine leaves it
        done = support.train(output, *arguments)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertGreater(len(support.steps(output)), len(logged(output, "train")), "no step was done again")
        self.check(output, "sequence")
        self.check(output, "train")
        (after,) = files(output)
        self.assertGreater(after.name, before.name)  # TensorBoard reads on in the file of the later name

    def test_two_sequence_encoders_have_curves_of_their_own(self):
        output = support.fresh("tensorboard", "two")
        done = support.train(output, "--tensorboard", "--target", "patch", "--epochs", "1")
        self.assertEqual(done.codes, [0, 0], done)
        self.check(output, "sequence")
        self.check(output, "sequence", "sequence_patch", "patch")

    def test_of_a_run_that_is_finished_already(self):
        output = support.fresh("tensorboard", "finished")
        self.assertEqual(support.train(output).codes, [0, 0])
        self.assertFalse((output / "tensorboard").exists())
        done = support.train(output, "--tensorboard")
        self.assertEqual(done.codes, [0, 0], done)
        self.check(output, "train")

    def test_goes_when_the_run_is_replaced(self):
        output = support.fresh("tensorboard", "replaced")
        for seed, more in (("0", ["--tensorboard"]), ("1", ["--overwrite"])):
            done = support.train(output, "--seed", seed, "--epochs", "1", *more)
            self.assertEqual(done.codes, [0, 0], done)
        self.assertFalse((output / "tensorboard").exists())

    def test_that_cannot_be_written_costs_the_curves_alone(self):
        output = support.fresh("tensorboard", "hindered")
        self.assertTrue(resume_test.killed_after(output, "sequence", 2))
        (output / "tensorboard").write_text("a file")
        done = support.train(output, "--tensorboard")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(done.err.count(f"cannot make the folder '{output / 'tensorboard'}'"), 1, done)


if __name__ == "__main__":
    unittest.main()
