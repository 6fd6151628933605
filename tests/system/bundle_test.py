"""launch/bundle.sh: what it packs runs elsewhere, without a network, LibTorch, Open MPI or the build."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import support

# Of the C library: these belong to the machine that the bundle is unpacked on.
OF_THE_MACHINE = re.compile(r"^(linux-vdso|ld-linux.*|lib(c|m|mvec|dl|pthread|rt|util|resolv|anl|nsl))\.so")


def hidden_places():
    """Where the bundle must not look: the build, LibTorch, Open MPI with all that it loads by name."""
    found = [pathlib.Path("/usr/lib/x86_64-linux-gnu") / name for name in ("openmpi", "pmix2", "ucx", "hdf5")]
    deps = pathlib.Path(os.environ.get("MASKSC_DEPS", pathlib.Path.home() / ".cache" / "masksc"))
    return [str(path) for path in [*found, pathlib.Path("/usr/share/openmpi"), deps, support.BUILD / "bin"] if path.is_dir()]


@unittest.skipUnless(shutil.which("ompi_info"), "the MPI here is not Open MPI, which bundles are made with")
class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        packed, cls.place = support.fresh("bundle", "packed.tar.gz"), support.fresh("bundle", "else where")
        done = subprocess.run([support.ROOT / "launch" / "bundle.sh", packed], capture_output=True, text=True,
                              env={**os.environ, "MASKSC_BUILD": str(support.BUILD)}, timeout=600)
        assert done.returncode == 0, done.stderr
        cls.said = done.stderr
        assert [path.name for path in packed.parent.iterdir() if path.name != "else where"] == [packed.name]
        cls.place.mkdir()
        subprocess.run(["tar", "-xf", packed, "-C", cls.place], check=True)
        packed.unlink()
        (cls.bundle,) = cls.place.iterdir()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    def test_every_library_comes_from_the_bundle(self):
        files = [path for path in self.bundle.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
        self.assertGreater(len(files), 100)
        for file in files:
            listed = subprocess.run(["ldd", file], capture_output=True, text=True).stdout
            for name, path in re.findall(r"^\s+(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$", listed, re.MULTILINE):
                if not OF_THE_MACHINE.match(name):
                    self.assertTrue(path.startswith(str(self.bundle)), f"{file.name} takes {name} from {path}")
            path = subprocess.run(["readelf", "-d", file], capture_output=True, text=True).stdout
            self.assertNotRegex(path, r"R(UN)?PATH.*\[(?!\$ORIGIN)", file)

    def test_it_says_what_it_needs(self):
        self.assertRegex(self.said, r"is for machines with glibc 2\.\d+ or newer")

    @unittest.skipUnless(os.geteuid() == 0, "needs root: a network of its own, and what the bundle must not use hidden")
    def test_a_run_without_network_gives_the_same_bits(self):
        output = support.fresh("bundle-run")
        hide = "".join(f"mount -t tmpfs none '{path}'; " for path in hidden_places())
        start = ('mount --make-rprivate /; ip link set lo up 2>/dev/null; ' + hide +
                 'for tool in orterun orted; do mount --bind /bin/false /usr/bin/$tool; done; '
                 '! mpirun true 2>/dev/null || exit 99; exec "$0" "$@"')
        arguments = ["--input", support.SIMULATED, "--labels", "group", "--output", output, *support.SMALL]
        done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", start,
                               self.bundle / "share" / "masksc" / "launch" / "run.sh", "2", "masksc_train",
                               *map(str, arguments)], capture_output=True, text=True, env=support.environment(),
                              cwd="/", timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 ranks", done.stdout)
        for name in ("weights_hash", "embedding_hash"):
            self.assertEqual(support.metrics(output)[name], support.metrics(support.BASE)[name])

    def test_a_program_starts_alone(self):
        done = subprocess.run([self.bundle / "bin" / "masksc_train", "--version"], capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin"}, cwd="/")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Refused(unittest.TestCase):
    def test_what_it_cannot_pack(self):
        for arguments, build, words in ((["--what"], None, "--what"), (["a", "b"], None, "one file"),
                                        ([], "/nowhere", "/nowhere")):
            done = subprocess.run([support.ROOT / "launch" / "bundle.sh", *arguments], capture_output=True, text=True,
                                  env={**os.environ, **({"MASKSC_BUILD": build} if build else {})})
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
