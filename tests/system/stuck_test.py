"""A file that gets HDF5 stuck is given up after a minute of processor time (unit_core's Apart tests it in a second)."""
import re
import unittest

import hostile_test


class Stuck(hostile_test.Hostile):
    FOLDER = "stuck"

    def test_objects_of_no_size(self):
        """HDF5 1.10 never gets to the end of the heap."""
        data = bytearray(self.file.read_bytes())
        for match in re.finditer(b"GCOL\1", bytes(data)):
            size = int.from_bytes(data[match.start() + 8:match.start() + 16], "little")
            data[match.start() + 16:match.start() + size] = bytes(size - 16)
        self.file.write_bytes(data)
        done = self.prepare()
        self.refused(done, self.file, "damaged")
        self.assertRegex(done.err, "stuck|crashes|pointing nowhere|cannot")


if __name__ == "__main__":
    unittest.main()
