"""Options, configuration files, help and version."""
import os
import pathlib
import re
import subprocess
import unittest

import support

PROGRAMS = ["masksc_train", "masksc_embed", "masksc_cluster", "masksc_report", "masksc_prepare", "masksc_simulate", "masksc_sweep"]
OPTIONS = """config input output overwrite labels clusters matrix patch mask-ratio dim encoder-depth encoder-heads
  decoder-depth decoder-heads gene-order standardize target guidance guidance-token contrastive-loss sequence-epochs
  sequence-model epochs max-steps batch-size learning-rate weight-decay seed precision gradient-checkpointing device
  collectives checkpoint-every-steps resume quiet help version layer genes allow-noninteger plan
  json""".split()


def direct(name, *arguments):
    """Without mpirun, as people ask for help."""
    return subprocess.run([support.program(name), *arguments], capture_output=True, text=True, timeout=60,
                          env=support.environment())


class Help(unittest.TestCase):
    def test_names_every_option_of_the_contract(self):
        done = direct("masksc_train", "--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        missing = [option for option in OPTIONS if not re.search(rf"--{option}\b", done.stdout)]
        self.assertEqual(missing, [])

    def test_every_program_has_help_and_version(self):
        for name in PROGRAMS:
            for option, pattern in (("--help", r"--output"), ("--version", r"\d+\.\d+\.\d+ \(commit \w+")):
                done = direct(name, option)
                self.assertEqual(done.returncode, 0, (name, option, done.stderr))
                self.assertRegex(done.stdout, pattern, name)

    def test_help_and_mistakes_need_no_mpi(self):
        broken = {**support.environment(), "OMPI_MCA_pml": "none_of_these"}
        for arguments, succeeds in ((["--help"], True), (["--epoch-s", "3"], True), (["--plan"], False)):
            done = subprocess.run([support.program("masksc_train"), *arguments], capture_output=True, text=True, timeout=60,
                                  env=broken)
            self.assertEqual(done.returncode in (0, 2), succeeds, (arguments, done.stderr))
            self.assertEqual(re.search("MPI|ORTE", done.stderr) is None, succeeds, done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root: a network of its own")
    def test_a_program_alone_needs_no_network(self):
        done = subprocess.run(["unshare", "--net", support.program("masksc_simulate"), "--cells", "50", "--output",
                               support.fresh("alone.h5ad")], capture_output=True, text=True, env=support.environment(),
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_version_is_that_of_the_metrics(self):
        self.assertIn(support.metrics(support.BASE)["version"].split()[0], direct("masksc_train", "--version").stdout)

    def test_readme_knows_every_option(self):
        readme = (support.ROOT / "README.md").read_text()
        listed = re.findall(r"^ +--([a-z-]+)", direct("masksc_train", "--help").stdout, re.MULTILINE)
        self.assertGreater(len(listed), 30)
        self.assertEqual([option for option in listed if f"`--{option}" not in readme], [])


class Switches(unittest.TestCase):
    def test_of_a_configuration_are_taken_back(self):
        config = support.fresh("switches.ini")
        config.write_text("batch-statistics = yes\n")
        needs = lambda *arguments: "--batch-statistics needs to know the batches" in direct(
            "masksc_train", "--config", config, "--input", support.SIMULATED, "--output", support.fresh("switches"),
            *support.without(support.SMALL, ["--epochs"]), "--epochs", "1", "--sequence-epochs", "1", *arguments).stderr
        self.assertTrue(needs())
        self.assertTrue(needs("--batch-statistics=no", "--batch-statistics"))
        self.assertFalse(needs("--batch-statistics=no"))
        self.assertFalse(needs("--no-batch-statistics"))
        done = direct("masksc_train", "--overwrite=maybe")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--overwrite 'maybe': give yes or no", done.stderr)


class Threads(unittest.TestCase):
    def test_spin_briefly_unless_told_otherwise(self):
        for given, brief in (({}, True), ({"OMP_WAIT_POLICY": "ACTIVE"}, False)):
            environment = {**support.environment(), **given}
            del environment["GOMP_SPINCOUNT"]
            running = subprocess.Popen([support.program("masksc_simulate"), "--cells", "50000", "--output",
                                        support.fresh("threads.h5ad")], env=environment, stderr=subprocess.DEVNULL)
            self.addCleanup(running.wait)
            self.addCleanup(running.kill)
            of = lambda name: pathlib.Path("/proc", str(running.pid), name).read_bytes()
            self.assertEqual(support.wait_for(lambda: b"GOMP_SPINCOUNT=1000" in of("environ"), 20 if brief else 1), brief)
            self.assertEqual(of("comm"), b"masksc_simulate"[:15] + b"\n")


class Unwritable(unittest.TestCase):
    def test_output_that_is_lost_is_an_error(self):
        for arguments in (["--help"], ["--version"], ["--man"], ["--plan"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([support.program("masksc_train"), *arguments], stdout=full, stderr=subprocess.PIPE,
                                      text=True, env=support.environment(), timeout=60)
            self.assertEqual(done.returncode, 3, (arguments, done.stderr))
            self.assertIn("No space left", done.stderr)


class Refused(unittest.TestCase):
    """Each row: arguments after the small run's, and what the one message must contain."""

    def check(self, arguments, *words, ranks=2):
        output = support.fresh("refused")
        done = support.train(output, *arguments, ranks=ranks)
        self.assertEqual(done.codes, [2] * ranks, done)
        self.assertLess(done.seconds, support.patience(10))
        saying = [line for line in done.err.splitlines() if all(word in line for word in words)]
        self.assertEqual(len(saying), 1, done)  # by rank 0 alone
        self.assertFalse((output / "result.h5ad").exists())

    def test_lines_of_a_configuration_that_are_no_settings(self):
        for line in ("no-equals%option%%invalid_line%", "= 3", "[section]", "epochs ="):  # Boost hung on the first
            path = support.WORK / "bad.ini"
            path.write_text(f"# a comment\n{line}\n")
            self.check(["--config", str(path)], "bad.ini", ranks=1)

    def test_a_configuration_from_a_pipe_is_read_once(self):
        environment = support.environment()
        del environment["GOMP_SPINCOUNT"]  # so that the program starts itself anew
        done = subprocess.run(["bash", "-c", "exec \"$0\" --plan --config <(echo dim = 31)", support.program("masksc_train")],
                              capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("31", done.stderr)

    def test_a_name_twice_in_a_configuration(self):
        path = support.WORK / "twice.ini"
        path.write_text("epochs = 3\ndim = 32\nepochs = 4\n")
        self.check(["--config", str(path)], "twice.ini", "sets 'epochs' twice")

    def test_a_configuration_of_windows(self):
        path = support.WORK / "windows.ini"
        path.write_bytes(b"\xef\xbb\xbftemperature = -1\r\n")
        self.check(["--config", str(path)], "--temperature must be positive")

    def test_values_are_printed_harmless(self):
        for option in ("--plan-device", "--precision", "--matrix", "--clusters", "--genes"):
            self.check([option, "\x1b[31mred"], option, "\\x1b[31mred", ranks=1)

    def test_unknown_option_with_the_nearest(self):
        self.check(["--epoch-s", "3"], "epoch-s", "epochs")

    def test_abbreviations_are_unknown(self):
        self.check(["--max-step", "50"], "--max-step;", "max-steps")

    def test_stray_word(self):
        self.check(["stray-word"], "stray-word")

    def test_values_that_do_not_parse(self):
        self.check(["--dim", "many"], "--dim", "'many'")
        self.check(["--target", "contrastiv"], "--target", "'contrastiv'")
        self.check(["--learning-rate", "nan"], "learning-rate", "nan")

    def test_values_out_of_range(self):
        for option, value in [("--epochs", "0"), ("--batch-size", "0"), ("--learning-rate", "-1"), ("--dim", "0"),
                              ("--dim", "31"), ("--max-steps", "-1"), ("--seed", "-1"), ("--clusters", "0"),
                              ("--clusters", "291"), ("--guidance", "-1"), ("--patch", "0"), ("--matrix", "16"),
                              ("--mask-ratio", "2"), ("--precision", "fp8"), ("--gradient-checkpointing", "every=0"),
                              ("--encoder-checkpointing", "some"), ("--micro-batch", "-1"), ("--bucket-mib", "-1"),
                              ("--profile", "5:2"), ("--collective-timeout", "0"), ("--stall-timeout", "4"),
                              ("--stop-signals", "KILL"), ("--time-limit", "2:00"), ("--time-limit", "soon"),
                              ("--grace", "-1"), ("--keep-last", "0"), ("--max-bad-steps", "0"),
                              ("--checkpoint-every-minutes", "-1"), ("--progress-seconds", "-1"),
                              ("--reduce-precision", "fp16")]:
            with self.subTest(option=option, value=value):
                self.check([option, value], option.lstrip("-"), value, ranks=1)

    def test_nccl_needs_gpus(self):
        self.check(["--collectives", "nccl", "--device", "cpu"], "collectives", "GPU")

    def test_cuda_graphs_need_gpus_and_no_dropout(self):
        self.check(["--cuda-graph", "--device", "cpu"], "--cuda-graph", "GPU")
        self.check(["--cuda-graph", "--dropout", "0.1"], "--cuda-graph", "--dropout 0.1")

    def test_input_and_output_are_needed(self):
        for missing in ("--input", "--output"):
            given = {"--input": str(support.SIMULATED), "--output": str(support.fresh("refused"))}
            del given[missing]
            done = direct("masksc_train", *(word for pair in given.items() for word in pair))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(missing, done.stderr)


class ConfigurationFile(unittest.TestCase):
    def configuration(self, text):
        path = support.fresh("options.ini")
        path.write_text(text)
        return path

    def check(self, text, *words):
        output = support.fresh("refused")
        done = support.train(output, "--config", self.configuration(text))
        self.assertEqual(done.codes, [2, 2], done)
        for word in words:
            self.assertIn(word, done.err)

    def test_command_line_wins(self):
        output = support.fresh("precedence")
        path = self.configuration("# a comment\nmax-steps = 3\nseed = 11\n\nepochs=1\n")
        done = support.train(output, "--config", path, "--max-steps", "2")
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual(len(support.steps(output)), 2)
        self.assertEqual(support.metrics(output)["seed"], 11)

    def test_unknown_key_with_the_nearest(self):
        self.check("mask-ration=0.5\n", "options.ini", "mask-ration", "mask-ratio")

    def test_bad_value_names_the_file(self):
        self.check("weight-decay=heavy\n", "options.ini", "weight-decay", "heavy")

    def test_holds_no_files(self):
        for option in ("input", "output", "labels"):
            with self.subTest(option=option):
                self.check(f"{option}=x\n", "options.ini", option)

    def test_missing_file(self):
        done = support.train(support.fresh("refused"), "--config", "/nowhere/x.ini")
        self.assertEqual(done.codes, [2, 2], done)
        self.assertIn("/nowhere/x.ini", done.err)

    def test_all_of_ours_are_taken(self):
        for path in sorted((support.ROOT / "configs").glob("*.ini")):
            sweeps = path.name.startswith(("sweep_", "ablation_"))
            done = direct("masksc_sweep" if sweeps else "masksc_train", "--config", str(path), "--input", "/nowhere/cells.h5ad", "--output",
                          str(support.fresh("refused")))
            self.assertEqual(done.returncode, 2, (path, done.stderr))
            self.assertIn("/nowhere/cells.h5ad", done.stderr, path)


if __name__ == "__main__":
    unittest.main()
