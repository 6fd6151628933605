"""A run that is asked to stop leaves a checkpoint, and exit code 75 for scripts and schedulers."""
import contextlib
import json
import os
import signal
import time
import unittest

import support

LONG = ["--epochs", "100000", "--sequence-epochs", "1"]  # hours


def has_step(output, step):
    try:
        return any(line["step"] >= step for line in support.steps(output))
    except ValueError:  # the last line is being written
        return False


class Stopped(unittest.TestCase):
    def check(self, output, reason):
        lines = [line for line in support.log_lines(output) if line["stage"] == "train"]
        stop = [line for line in lines if line.get("event") == "stop"]
        self.assertEqual([line["reason"] for line in stop], [reason])
        self.assertIn(stop[0]["step"], [line["step"] for line in lines if line.get("event") == "checkpoint"])
        self.assertEqual(support.steps(output)[-1]["step"], stop[0]["step"])

    def test_by_its_time_limit(self):
        output = support.fresh("stop", "limit")
        done = support.train(output, *LONG, "--time-limit", "0:10", "--grace", "5")
        self.assertEqual(done.codes, [75, 75], done)
        self.assertIn("time limit: stops at", done.err)
        self.assertIn("stopped on request (time limit)", done.err)
        self.check(output, "time limit")

    def test_by_a_signal_that_mpirun_passes_on(self):
        for attempt in range(5):  # the code must be that of the ranks every time
            output = support.fresh("stop", "signal")
            running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output,
                                      *support.without(support.SMALL, LONG), *LONG)
            self.assertTrue(support.wait_for(lambda: has_step(output, 2), support.patience(120), running))
            running.process.send_signal(signal.SIGUSR1)
            error = running.process.communicate(timeout=support.patience(30))[1]
            self.assertEqual(running.process.returncode, 75, (attempt, error))
            self.assertEqual(error.count("stopped on request (signal USR1)"), 1, error)
            self.check(output, "signal USR1")

    def test_many_signals_are_one_and_interrupt_no_computation(self):
        """oneDNN's products do not survive a signal handler on their stack."""
        output = support.fresh("stop", "many")
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output,
                                  *support.without(support.SMALL, LONG), *LONG, ranks=1)
        self.assertTrue(support.wait_for(lambda: has_step(output, 2), support.patience(120), running))
        pid = json.loads((output / "ranks" / "0.json").read_text())["pid"]
        since = time.monotonic()
        with contextlib.suppress(ProcessLookupError):  # it is gone
            while time.monotonic() - since < 0.5:  # those of a second are one request
                os.kill(pid, signal.SIGUSR1)
        error = running.process.communicate(timeout=support.patience(30))[1]
        self.assertEqual(running.process.returncode, 75, error)
        self.check(output, "signal USR1")


class Twice(unittest.TestCase):
    def test_a_second_run_in_the_same_folder_is_refused(self):
        output = support.fresh("stop", "twice")
        command = ["--input", support.SIMULATED, "--output", output, *support.without(support.SMALL, LONG), *LONG]
        running = support.Running("masksc_train", *command)
        self.assertTrue(support.wait_for(lambda: has_step(output, 2), support.patience(120), running))
        for more in ([], ["--overwrite"]):
            second = support.run("masksc_train", *command, *more)
            self.assertEqual(second.codes, [2, 2], second)
            self.assertRegex(second.err, f"--output '{output}' is in use by process [0-9]+ on ")
        running.process.send_signal(signal.SIGUSR1)
        error = running.process.communicate(timeout=support.patience(30))[1]
        self.assertEqual(running.process.returncode, 75, error)
        steps = [line["step"] for line in support.steps(output)]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertFalse((output / ".lock").exists())


if __name__ == "__main__":
    unittest.main()
