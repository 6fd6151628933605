"""What --overwrite replaces, and what it never does."""
import json
import os
import pathlib
import shutil
import signal
import unittest
from unittest import mock

import support

JOB = {"SLURM_JOB_ID": "4711"}


def copy_of_base(name):
    output = support.fresh("overwrite", name)
    shutil.copytree(support.BASE, output)
    return output


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in pathlib.Path(folder).rglob("*") if p.is_file()}


def heartbeat(output):
    try:
        return json.loads((output / "ranks" / "0.json").read_text())
    except (FileNotFoundError, ValueError):  # being written
        return {}


def trains(output, but):
    """Whether a process other than `but` is past its second step."""
    seen = heartbeat(output)
    return seen.get("pid", but) != but and seen["stage"] == "train" and seen["step"] > 2


class Kept(unittest.TestCase):
    def test_a_prepared_file_in_the_output(self):
        """It has the name that a run's own once had."""
        output = support.fresh("overwrite", "prepared")
        output.mkdir(parents=True)
        prepared = output / "prepared.h5"
        done = support.run("masksc_prepare", "--input", support.SIMULATED, "--labels", "group", "--output", prepared, ranks=1)
        self.assertEqual(done.codes, [0], done)
        before = prepared.read_bytes()
        self.assertEqual(support.train(output, data=prepared).codes, [2, 2])
        for code, options in ((2, ["--clusters", "1000"]), (0, [])):
            done = support.train(output, "--overwrite", "--epochs", "1", *options, data=prepared)
            self.assertEqual(done.codes, [code, code], done)
            self.assertEqual(prepared.read_bytes(), before)
        embedded = support.fresh("overwrite", "embedded")
        embedded.mkdir()
        shutil.copy(prepared, embedded)
        done = support.run("masksc_embed", "--model", support.BASE / "model", "--input", embedded / "prepared.h5",
                           "--output", embedded, ranks=1)
        self.assertEqual(done.codes, [0], done)
        self.assertEqual((embedded / "prepared.h5").read_bytes(), before)

    def test_what_the_same_command_reads(self):
        output = copy_of_base("read")
        before = everything(output)
        for options in (["--resume", output / "checkpoints"], ["--resume", output / "checkpoints" / "latest"],
                        ["--sequence-model", output / "model"]):
            done = support.train(output, "--overwrite", *options)
            self.assertEqual(done.codes, [2, 2], done)
            self.assertIn(f"{options[0]} {options[1]} lies in what this run would replace", done.err)
        done = support.train(output, "--overwrite", data=output / "result.h5ad")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("--input", done.err)
        self.assertEqual(everything(output), before)

    def test_what_masksc_embed_reads(self):
        output = support.fresh("overwrite", "embed")
        embed = ["--model", support.BASE / "model", "--output", output]
        self.assertEqual(support.run("masksc_embed", *embed, "--input", support.SIMULATED, ranks=1).codes, [0])
        before = everything(output)
        for options in (["--input", output / "result.h5ad"],
                        ["--input", support.SIMULATED, "--reference", output / "result.h5ad"]):
            done = support.run("masksc_embed", *embed, *options, "--overwrite", ranks=1)
            self.assertEqual(done.codes, [2], done)
            self.assertIn("lies in what this run would replace", done.err)
        self.assertEqual(everything(output), before)


class Requeued(unittest.TestCase):
    """Slurm starts a requeued job with the same arguments."""

    def stopped(self, output, *options):
        before = heartbeat(output).get("pid")
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output, "--labels", "group",
                                  *support.without(support.SMALL, ["--epochs"]), "--epochs", "100000", *options)
        self.addCleanup(running.kill)
        self.assertTrue(support.wait_for(lambda: trains(output, before), support.patience(60), running))
        running.process.send_signal(signal.SIGUSR1)
        error = running.process.communicate(timeout=support.patience(30))[1]
        self.assertEqual(running.process.returncode, 75, error)
        return error, [line for line in support.log_lines(output) if line.get("event") == "resumed"]

    def test_a_job_goes_on_with_what_it_began(self):
        for name, option in (("overwrite", ["--overwrite"]), ("never", ["--resume", "never"])):
            with self.subTest(option=option):
                output = copy_of_base(f"requeued-{name}")
                with mock.patch.dict(os.environ, JOB):
                    error, resumed = self.stopped(output, *option)
                self.assertIn(f"start the same command without {' '.join(option)} to resume", error)
                self.assertEqual(resumed, [])
                with mock.patch.dict(os.environ, {**JOB, "SLURM_RESTART_COUNT": "1"}):
                    self.assertEqual(len(self.stopped(output, *option)[1]), 1)
                    self.assertEqual(self.stopped(output, *option)[1], [], "another start within that job")
                with mock.patch.dict(os.environ, {"SLURM_JOB_ID": "4712", "SLURM_RESTART_COUNT": "5"}):
                    self.assertEqual(self.stopped(output, *option)[1], [], "another job")

    def test_points_of_the_same_settings_go_on(self):
        output = support.fresh("overwrite", "sweep")
        options = ["--input", support.SIMULATED, "--output", output, "--labels", "group", *support.without(support.SMALL, []),
                   "--sweep", "mask-ratio=0.5,0.75", "--checkpoint-every-steps", "2"]
        slow = [*support.without(options, ["--epochs"]), "--epochs", "100000"]
        for again in (False, True):
            running = support.Running("masksc_sweep", *slow, *(["--overwrite"] if again else []))
            self.addCleanup(running.kill)
            folders = [output / "points" / f"mask-ratio={ratio}_seed=0" for ratio in ("0.5", "0.75")]
            seen = {folder: len(support.whole_steps(folder)) for folder in folders}
            self.assertTrue(support.wait_for(lambda: all(len(support.whole_steps(f)) > seen[f] + 3 for f in folders),
                                             support.patience(90), running))
            running.process.send_signal(signal.SIGUSR1)
            self.assertEqual(running.process.communicate(timeout=support.patience(30)) and running.process.returncode, 75)
        for folder in folders:
            self.assertEqual([line["stage"] for line in support.log_lines(folder) if line.get("event") == "resumed"], ["train"])
        done = support.run("masksc_sweep", *options, "--learning-rate", "2e-3", "--overwrite")
        self.assertEqual(done.codes, [0, 0], done)
        for folder in folders:
            self.assertEqual([line for line in support.log_lines(folder) if line.get("event") == "resumed"], [])


if __name__ == "__main__":
    unittest.main()
