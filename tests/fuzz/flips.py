"""Damage to the bytes of a file: flipped bits, numbers that mislead, blocks moved, ends cut off."""
import re
import struct

MARKS = rb"TREE|SNOD|HEAP|GCOL|OHDR|OCHK|FRHP|FHIB|FHDB|BTHD|BTIN|BTLF|FSHD|FSSE|EAHD|EAIB|FAHD|FADB|SMTB|\x89HDF"
MISLEADING = [0, 1, 2, 8, 16, 96, 255, 256, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**63 - 1, 2**63,
              2**64 - 16, 2**64 - 8, 2**64 - 1]


def places(data):
    """Where structures begin: signatures, and version-1 object headers (version 1, then a plausible count)."""
    found = [match.start() for match in re.finditer(MARKS, data)]
    found += [at for at in range(0, len(data) - 16, 8)
              if data[at] == 1 and data[at + 1] == 0 and 0 < data[at + 2] < 40 and data[at + 4:at + 8] == b"\1\0\0\0"]
    return sorted(set(found)) or [0]


def near(data, random):
    """A byte in the first bytes of a structure."""
    start = int(random.choice(places(data)))
    return min(len(data) - 1, start + int(random.integers(0, 160)))


def flip_bits(data, random, at=None):
    for _ in range(int(random.choice([1, 1, 1, 2, 4, 8]))):
        position = int(random.integers(len(data))) if at is None else at(data, random)
        data[position] ^= 1 << int(random.integers(8))


def flip_structure(data, random):
    flip_bits(data, random, near)


def set_bytes(data, random):
    for _ in range(int(random.choice([1, 2, 4]))):
        data[near(data, random)] = int(random.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF]))


def set_number(data, random):
    at = near(data, random)
    at -= at % int(random.choice([1, 2, 4, 8]))
    form = str(random.choice(["<H", "<I", "<Q", "<Q", "<Q"]))
    size = struct.calcsize(form)
    if at + size <= len(data):
        number = MISLEADING[int(random.integers(len(MISLEADING)))]
        struct.pack_into(form, data, at, number % (1 << (8 * size)))


def point_elsewhere(data, random):
    """An address replaced by that of another structure: cycles, and structures of another kind."""
    at = near(data, random)
    at -= at % 8
    if at + 8 <= len(data):
        struct.pack_into("<Q", data, at, int(random.choice(places(data))))


def copy_block(data, random):
    size = int(random.choice([4, 8, 16, 24, 40, 512]))
    start, target = (int(random.integers(max(1, len(data) - size))) for _ in range(2))
    data[target:target + size] = data[start:start + size]


def clear_block(data, random):
    start, size = int(random.integers(len(data))), int(random.choice([8, 64, 512, 4096]))
    for at in range(start, min(len(data), start + size)):
        data[at] = 0


def truncate(data, random):
    del data[int(random.integers(len(data))):]


def first_bytes(data, random):
    data[int(random.integers(96))] = int(random.integers(256))


DAMAGE = [flip_bits, flip_structure, set_bytes, set_number, point_elsewhere, copy_block, clear_block, truncate,
          first_bytes]


def damage(source, target, random, how=None):
    """Writes a damaged copy; tells how."""
    how = how or DAMAGE[int(random.integers(len(DAMAGE)))]
    data = bytearray(source.read_bytes())
    how(data, random)
    target.write_bytes(data)
    return how.__name__
