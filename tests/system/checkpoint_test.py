"""Checkpoints as their users see them: what is kept, what masksc_checkpoint says, what is refused, a full disk."""
import json
import shutil
import subprocess
import unittest

import h5py
import numpy as np

import kills
import support

SAVING = ["--checkpoint-every-steps", "5", "--sequence-model", support.BASE / "model"]


def inspect(path, *arguments):
    done = support.run("masksc_checkpoint", path, *arguments, ranks=1)
    return done, json.loads(done.out) if "--json" in arguments and done.out.strip() else None


class Kept(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = support.fresh("checkpoint", "kept")
        cls.done = support.train(cls.output, *SAVING, "--keep-last", "2", "--keep-every", "8")
        assert cls.done.codes == [0, 0], cls.done
        cls.folder = cls.output / "checkpoints"

    def test_the_newest_and_one_of_every_n(self):
        files = sorted(p.name for p in self.folder.iterdir() if p.name.startswith("step"))
        self.assertEqual(files, [f"step-{step:08}.h5" for step in (10, 20, 24)])  # of 5, 10, 15, 20, 24
        self.assertEqual((self.folder / "latest").resolve(), self.folder / "step-00000024.h5")
        left = {p.name for p in self.folder.iterdir()} - set(files)
        self.assertEqual(left, {"latest", "run.json", "guidance.json"})  # nothing of stage 1, embedding or clustering

    def test_listed_and_verified(self):
        for path in (self.output, self.folder):
            done, entries = inspect(path, "--json")
            self.assertEqual(done.codes, [0], done)
            self.assertEqual([e["step"] for e in entries], [10, 20, 24])
            self.assertTrue(all(e["valid"] and e["stage"] == "step" and e["seed"] == 0 for e in entries))
            self.assertEqual([e["latest"] for e in entries], [False, False, True])
            self.assertEqual([(e["epoch"], e["cursor"]) for e in entries],
                             [(1, 290 * 4 // 6), (3, 290 * 2 // 6), (4, 0)])
        done, _ = inspect(self.output)
        self.assertEqual(done.out.count("good"), 3, done)
        done, _ = inspect(self.folder / "latest")
        for word in ("loss_scale", "torch", "mpi", "hdf5", "data"):
            self.assertIn(word, done.out)

    def test_h5py_reads_the_weights(self):
        with h5py.File(self.folder / "latest") as file, h5py.File(self.output / "model" / "masked_autoencoder.h5") as model:
            names = []
            file["weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            self.assertGreater(len(names), 20)
            for name in names:
                np.testing.assert_array_equal(file["weights"][name][()], model["weights"][name][()])
            header = json.loads(file["header"][()])
            self.assertEqual((header["step"], header["total_steps"], header["cells"]), (24, 24, 290))
            self.assertIn("mask-ratio = ", header["configuration"])

    def test_damage_is_named_with_exit_code_2(self):
        copy = support.fresh("checkpoint", "damaged")
        shutil.copytree(self.folder, copy, symlinks=True)
        spoilt = copy / "step-00000020.h5"
        data = bytearray(spoilt.read_bytes())
        data[len(data) // 2] ^= 1
        spoilt.write_bytes(data)
        done, entries = inspect(copy, "--json")
        self.assertEqual(done.codes, [2], done)
        self.assertEqual([e["valid"] for e in entries], [True, False, True])
        self.assertIn(str(spoilt), done.err)
        done, _ = inspect(copy)
        self.assertRegex(done.out, r"step-00000020\.h5.*DAMAGED")

    def test_nothing_to_list_is_an_error(self):
        for path in (support.fresh("checkpoint", "none"), support.WORK / "shared", support.SIMULATED):
            done, _ = inspect(path)
            self.assertEqual(done.codes, [2], done)
            self.assertIn(str(path), done.err)

    def test_another_run_refuses_it_and_names_the_difference(self):
        for options, words in [(["--dim", "48"], ["--dim", "32", "48"]), (["--decoder-heads", "4"], ["--decoder-heads"]),
                               (["--seed", "5"], ["--seed", "0", "5"])]:
            with self.subTest(options=options):
                output = support.fresh("checkpoint", "other")
                done = support.train(output, *options, "--sequence-model", support.BASE / "model", "--resume",
                                     self.folder / "latest")
                self.assertEqual(done.codes, [2, 2], done)
                for word in ["latest", *words]:
                    self.assertIn(word, done.err)

    def test_another_run_refuses_it_before_stage_1(self):
        output = support.fresh("checkpoint", "early")
        done = support.train(output, "--seed", "5", "--resume", self.folder / "latest")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("--seed is 0 there and 5 here", done.err)
        self.assertNotIn("sequence encoder", done.err)
        self.assertFalse((output / "model" / "sequence_encoder.h5").exists())

    def test_another_folder_takes_it_up(self):
        output = support.fresh("checkpoint", "taken")
        done = support.train(output, *SAVING, "--resume", self.folder / "step-00000010.h5")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(support.metrics(output)["weights_hash"], support.metrics(self.output)["weights_hash"])
        self.assertEqual(support.steps(output)[0]["step"], 11)
        done = support.train(support.fresh("checkpoint", "missing"), "--resume", "/nowhere/step-00000010.h5")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("/nowhere/step-00000010.h5", done.err)


class Cadence(unittest.TestCase):
    def trained(self, name, *options):
        output = support.fresh("checkpoint", name)
        done = support.train(output, "--sequence-model", support.BASE / "model", *options)
        self.assertEqual(done.codes, [0, 0], done)
        return output

    def saved(self, name, *options, like=support.BASE):
        output = self.trained(name, *options)
        self.assertEqual(kills.result(output), kills.result(like))
        return [line for line in support.log_lines(output) if line.get("event") == "checkpoint"]

    def test_by_epochs(self):
        self.assertEqual([line["step"] for line in self.saved("epochs", "--checkpoint-every-epochs", "2")], [12, 24])

    def test_by_minutes(self):
        steps = [line["step"] for line in self.saved("minutes", "--checkpoint-every-minutes", "0.00001")]
        self.assertEqual(steps[-1], 24)
        self.assertGreater(len(steps), 4)  # whenever 0.6 ms have gone by since the last one

    def test_in_the_background(self):
        sharded = self.trained("sharded", "--shard-optimizer")  # which is as the others are to rounding
        for name, like, *options in (("async", support.BASE), ("async-sharded", sharded, "--shard-optimizer")):
            events = self.saved(name, "--checkpoint-every-steps", "1", "--async-checkpoint", *options, like=like)
            self.assertEqual(events[-1]["step"], 24)
            self.assertTrue(all(event["seconds"] > 0 and event["bytes"] > 10**5 for event in events))


class Killed(unittest.TestCase):
    """A short version of kill_test.py: every stage goes on where it was."""

    def check(self, moment, *options):
        output = support.fresh("checkpoint", "killed")
        every = ["--input", support.SIMULATED, "--labels", "group", *support.SMALL, *options]
        self.assertTrue(kills.killed(output, moment, every), f"{moment} never came")
        before = len(support.log_lines(output))
        done = support.train(output, *options)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(kills.result(output), kills.result(support.BASE))
        return kills.resumed_steps(support.log_lines(output)[before:])

    def test_in_stage_1(self):
        self.assertEqual(self.check(kills.Moment("step", "sequence", 5), "--checkpoint-every-steps", "1")[0][0], "sequence")

    def test_in_a_save(self):
        (stage, step), = self.check(kills.Moment("save", "train", 3), "--checkpoint-every-steps", "1")
        self.assertEqual(stage, "train")
        self.assertGreaterEqual(step, 2)  # two saves or more were done before

    def test_in_embedding_and_clustering(self):
        for stage in ("embed", "cluster"):
            resumed = self.check(kills.Moment("begin", stage, delay=0.01))
            self.assertEqual(resumed[0], ("train", 24))


class OtherRanks(unittest.TestCase):
    """Killed, and taken up on another number of ranks; kill_test.py does it at length."""

    def course(self, name, ranks_and_moments, last, *options):
        output = support.fresh("checkpoint", name)
        options = ["--input", support.SIMULATED, "--labels", "group", *support.SMALL, "--checkpoint-every-steps", "3", *options]
        for ranks, moment in ranks_and_moments:
            self.assertTrue(kills.killed(output, moment, options, ranks=ranks), f"{moment} never came")
        done = support.run("masksc_train", *options, "--output", output, ranks=last)
        self.assertEqual(done.codes, [0] * last, done)
        return output

    def test_the_same_bits_with_deterministic(self):
        whole = self.course("whole", [], 1, "--deterministic")
        changed = self.course("changed", [(2, kills.Moment("step", "sequence", 8)), (4, kills.Moment("step", "train", 14))],
                              1, "--deterministic")
        self.assertEqual(kills.result(changed), kills.result(whole))
        self.assertEqual({line["step"]: line["cells"] for line in support.steps(changed)},
                         {line["step"]: line["cells"] for line in support.steps(whole)})

    def test_equal_to_rounding_without(self):
        model = ["--sequence-model", support.BASE / "model"]
        losses = [{line["step"]: line["loss"] for line in support.steps(output)} for output in (
            self.course("one", [], 1, *model), self.course("three", [(3, kills.Moment("step", "train", 14))], 1, *model))]
        self.assertEqual(sorted(losses[0]), sorted(losses[1]))
        for step, loss in losses[0].items():
            self.assertLess(abs(losses[1][step] / loss - 1), 1e-5, step)


class FullDisk(unittest.TestCase):
    def test_the_last_good_checkpoint_survives_and_the_run_goes_on_from_it(self):
        disk = support.fresh("checkpoint", "disk")
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True).returncode:
            self.skipTest("needs the right to mount a small tmpfs (root)")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        output, filler = disk / "run", disk / "filler"
        options = ["--input", support.SIMULATED, "--labels", "group", *support.SMALL, "--checkpoint-every-steps", "2",
                   "--sequence-model", support.BASE / "model"]
        running = support.Running("masksc_train", *options, "--output", output)
        self.assertTrue(support.wait_for((output / "checkpoints" / "latest").exists, 60, running))
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        err = running.process.communicate(timeout=120)[1]
        self.assertEqual(running.process.returncode, 3, err)
        self.assertRegex(err, "(?i)no space")
        filler.unlink()
        done, entries = inspect(output, "--json")
        self.assertEqual(done.codes, [0], done)
        self.assertGreater(entries[-1]["step"], 0)
        done = support.run("masksc_train", *options, "--output", output)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(kills.result(output), kills.result(support.BASE))
        self.assertGreater(kills.resumed_steps(support.log_lines(output))[-1][1], 0)


if __name__ == "__main__":
    unittest.main()
