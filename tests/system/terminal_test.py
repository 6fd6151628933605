"""What people see on the way: a moving line on a terminal, plain lines in a file, colours where they are wanted."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

import support

COLUMNS = 60
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MOVING = "\r\x1b[K"


def on_terminal(command, **variables):
    """Exit code and what came to a terminal of 60 columns by standard error; standard output goes elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {**support.environment(), "TERM": "xterm-256color", **variables}
    environment = {name: value for name, value in environment.items() if value is not None}
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=theirs, env=environment, cwd=support.WORK)
    os.close(theirs)
    text = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        text += chunk
    os.close(ours)
    return process.wait(60), text.decode().replace("\r\n", "\n")


def piped(command, **variables):
    """Exit code and what came by standard error, which is a pipe."""
    done = subprocess.run(list(map(str, command)), capture_output=True, cwd=support.WORK,
                          env={**support.environment(), "TERM": "xterm", **variables})
    return done.returncode, done.stderr.decode()


def training(output, *arguments, epochs="60"):
    return [support.program("masksc_train"), "--input", support.SIMULATED, "--labels", "group", "--output", output,
            *support.without(support.SMALL, ["--epochs"]), "--epochs", epochs, *arguments]


class Terminal(unittest.TestCase):
    def check_moving(self, shown):
        moves = [part.split("\n")[0] for part in shown.split(MOVING)[1:]]
        moves = [move for move in moves if move]
        self.assertGreater(len(moves), 3, shown)
        for move in moves:
            self.assertLess(len(move), COLUMNS, "it would wrap")
            self.assertNotRegex(move, r"\d\d:\d\d:\d\d", "a message beside the moving line")
        return moves

    def test_one_line_moves(self):
        code, shown = on_terminal(training(support.fresh("terminal", "moves")))
        self.assertEqual(code, 0, shown)
        steps = [move for move in self.check_moving(shown) if move.startswith("training: step")]
        self.assertGreater(len(steps), 1, shown)
        for step in steps[1:]:
            self.assertRegex(step, r"^training: step \d+/360 \(\d+%\), epoch \d+/60, loss \d")
        self.assertIn("training: step 360/360 (100%)", steps[-1])
        self.assertRegex(shown, COLOUR)

    def test_a_wide_one_tells_speed_and_what_is_left(self):
        code, shown = piped(training(support.fresh("terminal", "told")), MASKSC_TERMINAL="200")
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, re.escape(MOVING) + r"training: step \d+/360 \(\d+%\), epoch \d+/60, loss [\d.]+, "
                         r"\d+ cells/s, [\d.]+ s left")

    def test_that_cannot_move_its_cursor(self):
        code, shown = on_terminal(training(support.fresh("terminal", "dumb"), epochs="2"), TERM="dumb")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("\x1b", shown)

    def test_no_color(self):
        code, shown = on_terminal(training(support.fresh("terminal", "plain"), epochs="2"), NO_COLOR="1")
        self.assertEqual(code, 0, shown)
        self.assertNotRegex(shown, COLOUR)
        self.assertIn(MOVING, shown)

    def test_quiet(self):
        code, shown = on_terminal(training(support.fresh("terminal", "quiet"), "--quiet", epochs="2"))
        self.assertEqual((code, shown), (0, ""))

    def test_under_mpirun(self):
        output = support.fresh("terminal", "mpirun")
        code, shown = on_terminal([support.ROOT / "launch" / "run.sh", 2, *training(output)])
        self.assertEqual(code, 0, shown)
        self.check_moving(shown)


class File(unittest.TestCase):
    def lines(self, *arguments):
        code, written = piped(training(support.fresh("terminal", "file"), *arguments))
        self.assertEqual(code, 0, written)
        self.assertNotIn("\x1b", written)
        self.assertNotIn("\r", written)
        return re.findall(r"^\d\d:\d\d:\d\d info training: step \d+/360 .*loss.*cells/s.*left$", written, re.MULTILINE)

    def test_a_plain_line_now_and_then(self):
        often = self.lines("--progress-seconds", "0.05")
        seldom = self.lines("--progress-seconds", "0.5")
        self.assertGreater(len(often), 3)
        self.assertLess(len(seldom), len(often))
        self.assertEqual(self.lines("--progress-seconds", "0"), [])
        self.assertEqual(self.lines("--progress-seconds", "0.05", "--quiet"), [])


class Help(unittest.TestCase):
    def text(self, columns):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([support.program("masksc_train"), "--help"], stdout=theirs, stderr=subprocess.DEVNULL,
                                   env=support.environment())
        os.close(theirs)
        text = b""
        while True:
            try:
                text += os.read(ours, 65536)
            except OSError:
                break
        self.assertEqual(process.wait(60), 0)
        os.close(ours)
        return text.decode().replace("\r\n", "\n")

    def test_fits_the_terminal(self):
        narrow, wide = self.text(80), self.text(400)
        options = narrow[narrow.index("Input and output"):]
        too_long = [line for line in options.splitlines() if len(line) > 80]
        self.assertEqual(too_long, [])
        self.assertEqual(" ".join(narrow.split()), " ".join(wide.split()))
        self.assertRegex(wide, r"(?m)^Run\n(  --.*\n)*  --progress-seconds X  +seconds between .*\[10\]$")

    def test_names_a_unit_or_a_meaning_and_the_default_of_every_value(self):
        entries = re.findall(r"^  --([a-z-]+) (\S+) +(.+)$", re.sub(r"\n {30,}", " ", self.text(400)), re.MULTILINE)
        self.assertGreater(len(entries), 70)
        none = {name for name, value, help in entries if not help.endswith("]")}
        # What has no default is given by the user or not at all.
        self.assertEqual(none, {"input", "output", "labels", "batch-key", "layer", "genome", "genes", "sequence-model", "clusters",
                                "report-genes", "config", "completion"})


if __name__ == "__main__":
    unittest.main()
