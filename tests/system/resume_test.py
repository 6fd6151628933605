"""A run that is killed and started again ends with the bits of one that never was."""
import unittest

import kills
import support


def killed_after(output, stage, step, *arguments):
    """Starts the base run anew and kills all of its processes once `stage` has logged `step`."""
    return kills.killed(output, kills.Moment("step", stage, step),
                        ["--input", support.SIMULATED, "--labels", "group", *support.SMALL, *arguments])


class Killed(unittest.TestCase):
    def check(self, name, stage, step, *arguments):
        output = support.fresh("resume", name)
        self.assertTrue(killed_after(output, stage, step, *arguments), f"step {step} of {stage} never came")
        self.assertFalse((output / "result.h5ad").exists())
        done = support.train(output, *arguments)
        self.assertEqual(done.codes, [0, 0], done)
        expected, got = support.metrics(support.BASE), support.metrics(output)
        self.assertEqual(got["weights_hash"], expected["weights_hash"])
        self.assertEqual(got["embedding_hash"], expected["embedding_hash"])
        return support.log_lines(output)

    def test_in_training(self):
        lines = self.check("train", "train", 15, "--checkpoint-every-steps", "4")
        resumed = [line["step"] for line in lines if line.get("event") == "resumed" and line["stage"] == "train"]
        self.assertEqual(len(resumed), 1)
        self.assertGreaterEqual(resumed[0], 8)
        losses = {}
        for line in lines:
            if line["stage"] == "train" and "loss" in line:
                self.assertEqual(losses.setdefault(line["step"], line["loss"]), line["loss"], "done again, it differs")
        self.assertEqual(sorted(losses), list(range(1, 4 * support.STEPS_PER_EPOCH + 1)))
        begins = [i for i, line in enumerate(lines) if line.get("event") == "begin"]
        self.assertEqual(len(begins), 2)
        first = [line["time"] for line in lines[:begins[1]]]
        seconds = support.metrics(support.WORK / "resume" / "train")["seconds"]
        self.assertAlmostEqual(seconds["earlier"], first[-1] - first[0], places=2)
        self.assertGreater(seconds["total"], seconds["earlier"])

    def test_at_the_first_step(self):
        self.check("first", "train", 1)

    def test_torn_last_line_is_repaired(self):
        output = support.fresh("resume", "torn")
        self.assertTrue(killed_after(output, "train", 9, "--checkpoint-every-steps", "4"))
        with open(output / "log.jsonl", "a") as log:
            log.write('{"stage": "train", "epo')
        done = support.train(output, "--checkpoint-every-steps", "4")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.steps(output)[-1]["step"], 4 * support.STEPS_PER_EPOCH)  # every line parses

    def test_resume_never_starts_anew(self):
        output = support.fresh("resume", "never")
        self.assertTrue(killed_after(output, "train", 9, "--checkpoint-every-steps", "4"))
        done = support.train(output, "--resume", "never")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertNotIn("resumed", [line.get("event") for line in support.log_lines(output)])
        expected, got = support.metrics(support.BASE), support.metrics(output)
        self.assertEqual(got["weights_hash"], expected["weights_hash"])

    def test_another_configuration_does_not_take_up_a_killed_run(self):
        output = support.fresh("resume", "other")
        self.assertTrue(killed_after(output, "train", 9, "--checkpoint-every-steps", "4"))
        done = support.train(output, "--seed", "9")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("seed", done.err)


if __name__ == "__main__":
    unittest.main()
