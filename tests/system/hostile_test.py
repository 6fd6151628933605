"""Files made to harm: they lead nowhere, crash nothing but a process apart, and print nothing that steers a terminal."""
import pathlib
import re
import shutil
import subprocess
import unittest
import zlib

import h5py
import numpy as np

import support


class Hostile(unittest.TestCase):
    FOLDER = "hostile"

    def setUp(self):
        self.folder = support.fresh(self.FOLDER)
        self.folder.mkdir(parents=True)
        counts, group = support.small_counts()
        self.counts = counts
        self.file = support.write_h5ad(self.folder / "counts.h5ad", counts, group)

    def prepare(self, *arguments, file=None):
        output = self.folder / "prepared.h5"
        output.unlink(missing_ok=True)
        return support.run("masksc_prepare", "--input", file or self.file, "--output", output, *arguments, ranks=1,
                           timeout=120)

    def refused(self, done, *words):
        self.assertEqual(done.codes, [2], done)
        for word in words:
            self.assertIn(str(word), done.err, done)
        self.assertNotRegex(done.err, "[\x00-\x09\x0b-\x1f\x7f]", done)
        self.assertEqual([path.name for path in self.folder.iterdir() if "prepared" in path.name], [])


class WaysOut(Hostile):
    """No file may lead to another one: its owner may read what its maker may not."""

    def setUp(self):
        super().setUp()
        self.secret = self.folder / "secret.h5"
        with h5py.File(self.secret, "w") as file:
            file["X"] = np.full(self.counts.shape, 7, np.float32)
        (self.folder / "secret.bin").write_bytes(np.full(self.counts.shape, 7, np.float32).tobytes())

    def replace(self, make):
        with h5py.File(self.file, "r+") as file:
            del file["X"]
            make(file)

    def test_link_into_another_file(self):
        self.replace(lambda file: file.__setitem__("X", h5py.ExternalLink(str(self.secret), "/X")))
        self.refused(self.prepare(), self.file, "'X'", "link into another file")

    def test_link_by_way_of_a_link(self):
        def make(file):
            file["away"] = h5py.ExternalLink(str(self.secret), "/")
            file["X"] = h5py.SoftLink("/away/X")

        self.replace(make)
        self.refused(self.prepare(), self.file)

    def test_numbers_kept_in_another_file(self):
        size = self.counts.size * 4
        self.replace(lambda file: file.create_dataset("X", self.counts.shape, np.float32,
                                                      external=[(str(self.folder / "secret.bin"), 0, size)]))
        self.refused(self.prepare(), self.file, "'X'", "in other files")

    def test_array_put_together_from_other_files(self):
        layout = h5py.VirtualLayout(self.counts.shape, np.float32)
        layout[...] = h5py.VirtualSource(str(self.secret), "X", shape=self.counts.shape)
        self.replace(lambda file: file.create_virtual_dataset("X", layout))
        self.refused(self.prepare(), self.file, "'X'", "other files")

    def test_link_within_the_file_is_followed(self):
        self.replace(lambda file: (file.__setitem__("kept", self.counts), file.__setitem__("X", h5py.SoftLink("/kept"))))
        done = self.prepare()
        self.assertEqual(done.codes, [0], done)


class Crashes(Hostile):
    """HDF5 1.10 itself crashes on these, or runs in circles (stuck_test); mask-sc says so and ends in order."""

    def test_crash_is_an_error_like_any_other(self):
        """A text of an attribute that lies beyond its heap: with some references HDF5 crashes on some machines (unit_core's Apart
        tests a crash as such), others it refuses."""
        sound = self.file.read_bytes()
        for value in (b"\xff\xff\xff\x7f", b"\x10\x27\x00\x00", b"\x00\x00\x01\x00"):
            data = bytearray(sound)
            for match in re.finditer(rb"\x0d\x00\x00\x00.{8}\x01\x00\x00\x00|\x0a\x00\x00\x00.{8}..\x00\x00", sound,
                                     re.DOTALL):
                data[match.end() - 4:match.end()] = value
            self.file.write_bytes(data)
            done = self.prepare()
            self.assertIn(done.codes, ([2], [0]), done)
            self.assertNotIn("Process received signal", done.err)
            output = self.folder / "out"
            trained = support.train(output, data=self.file)
            self.assertIn(trained.codes, ([2, 2], [0, 0]), trained)
            if trained.codes == [2, 2]:
                self.assertFalse(output.exists())
            shutil.rmtree(output, ignore_errors=True)
            embedded = support.run("masksc_embed", "--model", support.BASE, "--input", self.file, "--output", output, ranks=1)
            self.assertIn(embedded.codes, ([2], [0]), embedded)
            shutil.rmtree(output, ignore_errors=True)
            planned = support.run("masksc_train", "--plan", "--plan-ranks", "2", "--input", self.file, ranks=1)
            self.assertIn(planned.codes, ([2], [0]), planned)
            for other in (embedded, planned):
                self.assertNotIn("Process received signal", other.err)


class Chunks(Hostile):
    """HDF5 1.10 reads whatever lies in memory behind a chunk that unpacks to too little."""

    def spoiled(self, stored, mask=0, **options):
        path = self.folder / "xy.h5"
        with h5py.File(path, "w") as file:
            array = file.create_dataset("X", data=self.counts, chunks=self.counts.shape, **options)
            array.id.write_direct_chunk((0, 0), stored, mask)
        return path

    def test_of_another_size(self):
        size = self.counts.nbytes
        for stored, mask in [(zlib.compress(bytes(size // 2)), 0), (zlib.compress(bytes(size + 4)), 0),
                             (zlib.compress(bytes(size))[:-9], 0), (bytes(size - 4), 1), (zlib.compress(bytes(size)), 1)]:
            with self.subTest(bytes=len(stored), mask=mask):
                path = self.spoiled(stored, mask, compression="gzip")
                self.refused(self.prepare(file=path), path, "'X'", "damaged")
        path = self.spoiled(self.counts.tobytes(), 1, compression="gzip")
        self.assertEqual(self.prepare(file=path).codes, [0], "a chunk may leave its filter out")

    def test_that_does_not_agree_with_its_checksum(self):
        path = self.spoiled(self.counts.tobytes() + b"\1\2\3\4", fletcher32=True)
        self.refused(self.prepare(file=path), path, "'X'", "checksum")


class Names(Hostile):
    def test_are_printed_as_they_can_be(self):
        self.counts[3, 5] = -1
        path = support.write_h5ad(self.folder / "names.h5ad", self.counts)
        with h5py.File(path, "r+") as file:
            names = file["var/_index"][()]
            names[5] = b"\x1b]0;title\x07gene\n12:00:00 info all is well"
            file["var/_index"][...] = names
        done = self.prepare(file=path)
        self.refused(done, r"\x1b]0;title\x07gene\x0a12:00:00")
        self.assertFalse([line for line in done.err.splitlines() if line.startswith("12:00:00")], done)

    def test_that_are_paths_or_formats_are_names(self):
        evil = ["../../escaped", "/etc/passwd", "%s%n%s", "{}{0}", "$(touch escaped)", "`touch escaped`", "a;b|c&d"]
        path = support.write_h5ad(self.folder / "names.h5ad", self.counts, np.arange(len(self.counts)) % len(evil))
        with h5py.File(path, "r+") as file:
            for name, prefix in (("obs/_index", "c"), ("var/_index", "g")):
                names = file[name][()]
                names[:len(evil)] = [f"{prefix}{text}".encode() for text in evil]
                file[name][...] = names
            categories = file["obs/group/categories"]
            categories[...] = np.array(evil, dtype=object)
        output = self.folder / "output"
        done = support.train(output, "--max-steps", "2", data=path)
        self.assertEqual(done.codes, [0, 0], done)
        self.assertEqual([found for found in self.folder.rglob("*escaped*")], [])
        with h5py.File(output / "result.h5ad") as file:
            self.assertEqual([text.decode() for text in file["obs/group/categories"][()]], evil)
            self.assertEqual([text.decode()[1:] for text in file["obs/_index"][:len(evil)]], evil)

    def test_that_are_no_utf8_are_refused(self):
        path = support.write_h5ad(self.folder / "latin.h5ad", self.counts)
        with h5py.File(path, "r+") as file:
            names = np.array([f"gene{i}".encode() for i in range(self.counts.shape[1])])
            names[2] = b"M\xfcller"
            del file["var/_index"]
            file["var/_index"] = names
        self.refused(self.prepare(file=path), path, "var/_index", r"M\xfcller", "UTF-8")

    def test_options_hold_no_more_than_config_can(self):
        for value in ("a\nepochs = 9", "a # b", " a"):
            done = support.train(self.folder / "output", "--layer", value, ranks=1)
            self.refused(done, "--layer")
        done = subprocess.run([support.program("masksc_train"), "--config", self.folder], capture_output=True, text=True,
                              env=support.environment())
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("folder", done.stderr)


class Records(Hostile):
    """Files of the run folder itself, damaged."""

    def test_of_a_run(self):
        for name, text in [("metrics.json", "{"), ("metrics.json", "[]"), ("metrics.json", "{\"epochs\": \"x\"}"),
                           ("metrics.json", "[" * 100000), ("checkpoints/run.json", ""),
                           ("checkpoints/run.json", "{\"input\": 3}"), ("config.ini", "\x00\xff"),
                           ("config.ini", "epochs = many")]:
            with self.subTest(name=name, text=text[:20]):
                output = support.fresh(self.FOLDER, "run")
                shutil.copytree(support.BASE, output, symlinks=True)
                (output / name).write_text(text)
                done = support.train(output)
                self.assertEqual(done.codes, [2, 2], done)
                self.assertIn("--overwrite", done.err, done)
        self.assertFalse(pathlib.Path(support.WORK / self.FOLDER / "escaped").exists())


if __name__ == "__main__":
    unittest.main()
