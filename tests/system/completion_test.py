"""Completions of bash, zsh and fish, and manual pages: all that --help tells is in them, and they work."""
import functools
import re
import shutil
import subprocess
import unittest

import support
from command_line_test import direct

PROGRAMS = sorted(path.name for path in (support.BUILD / "bin").glob("masksc_*"))


@functools.cache
def printed(name, *arguments):
    done = direct(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(name):
    return re.findall(r"^ +--([a-z-]+)", printed(name, "--help"), re.MULTILINE)


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"no {tool} here")


class Place(unittest.TestCase):
    """A folder with a file, one with a blank in its name, and a folder."""

    @classmethod
    def setUpClass(cls):
        cls.folder = support.fresh("completion")
        (cls.folder / "runs").mkdir(parents=True)
        for name in ("cells.h5ad", "a b.h5ad"):
            (cls.folder / name).touch()

    def script(self, shell, name="masksc_train"):
        path = self.folder / ".scripts" / f"{name}.{shell}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(printed(name, "--completion", shell))
        return path


class Bash(Place):
    def complete(self, *words, name="masksc_train"):
        """What TAB offers after these words, the last of which is being typed. `=` is a word of its own."""
        line = " ".join(f"'{word}'" for word in (name, *words))
        code = f"""source '{self.script("bash", name)}'; COMP_WORDS=({line}); COMP_CWORD={len(words)}
                   $(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.splitlines()) - {""}

    def test_every_option_of_every_program(self):
        self.assertGreaterEqual(len(PROGRAMS), 9)
        for name in PROGRAMS:
            self.assertEqual(self.complete("--", name=name), {f"--{option}" for option in options(name)}, name)

    def test_the_beginning_of_an_option(self):
        self.assertEqual(self.complete("--tok"), {"--tokens"})
        self.assertEqual(self.complete("--config", "x.ini", "--decoder-d"), {"--decoder-depth"})
        self.assertEqual(self.complete("--no-such"), set())

    def test_words_of_a_value(self):
        self.assertEqual(self.complete("--precision", ""), {"auto", "fp32", "bf16", "fp16"})
        self.assertEqual(self.complete("--precision", "=", "f"), {"fp32", "fp16"})
        self.assertEqual(self.complete("--precision", "="), {"auto", "fp32", "bf16", "fp16"})
        self.assertEqual(self.complete("--matrix", ""), {"auto"})  # not GxS
        self.assertEqual(self.complete("--profile", ""), {"none"})
        self.assertEqual(self.complete("--completion", ""), {"bash", "zsh", "fish"})

    def test_values_that_are_no_words_offer_nothing(self):
        for option in ("--dim", "--labels", "--learning-rate"):
            self.assertEqual(self.complete(option, ""), set(), option)

    def test_files_and_folders(self):
        self.assertEqual(self.complete("--input", ""), {"cells.h5ad", "a b.h5ad", "runs", ".scripts"})
        self.assertEqual(self.complete("--input", "a"), {"a b.h5ad"})
        self.assertEqual(self.complete("--output", ""), {"runs", ".scripts"})
        self.assertEqual(self.complete("--genes", ""), {"highly_variable", "cells.h5ad", "a b.h5ad", "runs", ".scripts"})
        self.assertEqual(self.complete("c", name="masksc_checkpoint"), {"cells.h5ad"})  # takes a word without dashes
        self.assertEqual(self.complete("r", name="masksc_report"), {"runs"})

    @needs("shellcheck")
    def test_shellcheck_finds_nothing(self):
        for name in PROGRAMS:
            done = subprocess.run(["shellcheck", "--shell=bash", self.script("bash", name)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout)


class Zsh(Place):
    @needs("zsh")
    def test_parses_and_is_bound_to_its_program(self):
        for name in PROGRAMS:
            code = f"autoload -U compinit; compinit -D -u; source '{self.script('zsh', name)}'; print $_comps[{name}]"
            done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual((done.stdout, done.stderr), (f"_{name}\n", ""))

    @needs("zsh")
    def test_offers_options_words_and_files(self):
        """In a zsh of a terminal of its own (zpty), where TAB lists all and the list is read."""
        code = r"""
          zmodload zsh/zpty
          zpty inner zsh -f -i
          zpty -w inner "PS1='' ; stty cols 200; autoload -U compinit; compinit -D -u; source '$1'; LISTMAX=0; print re''ady"
          zpty -r inner all '*ready*'
          zpty -w -n inner "masksc_train $2"$'\t\t'
          sleep 1
          zpty -w -n inner $'\C-u'"print do"$'\'\'ne\n'
          zpty -r inner all '*done*'
          print -r -- $all"""

        def offered(typed):
            done = subprocess.run(["zsh", "-f", "-c", code, "zsh", str(self.script("zsh")), typed], capture_output=True,
                                  text=True, cwd=self.folder, timeout=60)
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x07]", "", done.stdout)

        self.assertRegex(offered("--plan-"), r"--plan-ranks +-- ranks, one a GPU")
        self.assertRegex(offered("--precision "), r"auto +bf16 +fp16 +fp32")
        self.assertRegex(offered("--input "), r"cells\.h5ad")
        self.assertRegex(offered("--genes "), r"highly_variable")


class Fish(Place):
    def complete(self, line, name="masksc_train"):
        code = f"source '{self.script('fish', name)}'; complete -C '{name} {line}'"
        done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return dict((line.split("\t") + [""])[:2] for line in done.stdout.splitlines())

    @needs("fish")
    def test_every_option_with_its_help(self):
        for name in PROGRAMS:
            found = self.complete("--", name=name)
            self.assertEqual(set(found), {f"--{option}" for option in options(name)}, name)
        self.assertEqual(self.complete("--plan-r")["--plan-ranks"], "ranks, one a GPU")

    @needs("fish")
    def test_words_files_and_folders(self):
        self.assertEqual(set(self.complete("--precision ")), {"auto", "fp32", "bf16", "fp16"})
        self.assertEqual(set(self.complete("--dim ")), set())
        self.assertLessEqual({"cells.h5ad", "runs/"}, set(self.complete("--input ")))
        self.assertEqual(set(self.complete("--output ")), {"runs/"})
        self.assertIn("cells.h5ad", self.complete("c", name="masksc_checkpoint"))


class ManualPage(Place):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pages = {}
        for name in PROGRAMS:
            cls.pages[name] = cls.folder / f"{name}.1"
            cls.pages[name].write_text(printed(name, "--man"))

    def test_tells_what_help_tells(self):
        for name, page in self.pages.items():
            text = page.read_text().replace("\\-", "-").replace("\\(aq", "'")
            for option in options(name):
                self.assertIn(f"\n\\fB--{option}\\fR", text, name)
            for heading in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
                self.assertIn(f"\n.SH {heading}\n", text)
            self.assertEqual(set(re.findall(r"^\.BR (masksc_\w+) \(1\)", text, re.MULTILINE)), set(PROGRAMS) - {name})

    def check(self, *command):
        for page in self.pages.values():
            done = subprocess.run([*command, page], capture_output=True, text=True, env={**support.environment(), "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            if "lint" not in command:
                self.assertIn("EXIT STATUS", done.stdout)

    @needs("groff")
    def test_groff_has_no_warning(self):
        self.check("groff", "-man", "-Tutf8", "-ww", "-P-cbou")

    @needs("man")
    def test_man_has_no_warning(self):
        self.check("man", "--warnings", "-l")

    @needs("mandoc")
    def test_mandoc_has_no_warning(self):
        self.check("mandoc", "-T", "lint", "-W", "error")


if __name__ == "__main__":
    unittest.main()
