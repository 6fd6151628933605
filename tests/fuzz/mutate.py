"""Files that are sound HDF5 but not what they should be: wrong kinds, shapes, numbers, names, and ways out of the file."""
import shutil
import zlib

import h5py
import numpy as np

TEXT = h5py.string_dtype()
TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32,
         np.float64, np.longdouble, np.complex64, np.bool_, ">i4", ">f8", "S5", TEXT, h5py.ref_dtype, np.dtype("V7"),
         h5py.vlen_dtype(np.int32), np.dtype([("a", np.int32), ("b", "S3")]), np.dtype((np.int32, (2,))),
         h5py.enum_dtype({"A": 0, "B": 300}, np.int16), "datetime"]
NUMBERS = [0, -1, -0.5, 0.25, 255, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, -2**63, 1e39, 1e300, float("nan"),
           float("inf"), float("-inf")]
NAMES = ["", " ", ".", "..", "a/b", "../../etc/passwd", "/etc/passwd", "%s%n%x", "{}", "{0}", "$(touch x)", "`id`",
         "name\nWARNING false line", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "\u202eabc", "\u2028", "\t",
         "\x7f", "caf\u00e9", "\U0001f9ec", "x" * 300, "y" * 70000, "nan", "-1", "gene1", "cell1"]
BYTES = [b"\xff\xfe", b"M\xfcller", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"ab\x00cd", b"\x80" * 40]
SHAPES = [(), (0,), (1,), (0, 0), (3, 0), (0, 3), (2, 2, 2), (1,) * 32]
HUGE = [(2**31,), (2**40,), (2**62,), (2**31, 40), (24, 2**40), (2**32, 2**31), (2**63 - 1,)]
ATTRIBUTES = ["encoding-type", "encoding-version", "shape", "_index", "column-order", "h5sparse_format",
              "h5sparse_shape", "masksc", "version", "fingerprint", "label_column", "ordered"]


class Skip(Exception):
    """The mutation does not apply to this file."""


def one(random, items):
    items = list(items)
    if not items:
        raise Skip
    return items[int(random.integers(len(items)))]


def arrays(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def read_arrays(file):
    """Those that the programs read, three times as often as others."""
    names = [name for name in arrays(file) if (file[name].size or 0) < 1e8]  # no shape that a change before made up
    used = [name for name in names if not name.startswith(("uns", "obsm", "varm", "obsp", "varp"))]
    return used * 3 + names


def groups(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Group) else None)
    return found


def attributes_of(item):
    return dict(item.attrs)


def put(file, name, *arguments, **options):
    """A new array in place of `name`, with the attributes of the old one."""
    kept = attributes_of(file[name]) if name in file else {}
    if name in file:
        del file[name]
    new = file.create_dataset(name, *arguments, **options)
    for key, value in kept.items():
        new.attrs[key] = value
    return new


def of_type(values, kind, random):
    """Something of type `kind` in the shape of `values`."""
    if kind == "datetime":
        kind = np.int64
    if kind == h5py.ref_dtype:
        return np.full(values.shape or (1,), h5py.Reference(), dtype=kind)
    if kind == TEXT or h5py.check_string_dtype(np.dtype(kind)) is not None:
        return np.full(values.shape, one(random, ["1", "a", "7.5", ""]), dtype=object)
    if h5py.check_vlen_dtype(np.dtype(kind)) is not None:
        new = np.empty(values.shape, dtype=object)
        for at in np.ndindex(values.shape):
            new[at] = np.arange(3, dtype=np.int32)
        return new
    kind = np.dtype(kind)
    if kind.kind in "biufc" and kind.subdtype is None and values.dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            return values.astype(kind)
    return np.zeros(values.shape, dtype=kind)


def remove(file, random, _):
    del file[one(random, read_arrays(file) + groups(file))]


def retype(file, random, _):
    name, kind = one(random, read_arrays(file)), one(random, TYPES)
    put(file, name, data=of_type(np.asarray(file[name][()]), kind, random), dtype=None if kind == "datetime" else kind)


def reshape(file, random, _):
    name = one(random, read_arrays(file))
    values = np.asarray(file[name][()])
    longer = np.concatenate([values.ravel(), values.ravel()[:1]])
    new = one(random, [values.ravel()[:-1], longer, values[..., None], values[None], np.stack([values, values], -1),
                       *(np.zeros(shape, values.dtype) for shape in SHAPES if values.dtype != object)])
    put(file, name, data=new, dtype=file[name].dtype)


def null(file, random, _):
    name = one(random, read_arrays(file))
    put(file, name, data=h5py.Empty(np.float32))


def spoil(file, random, _):
    """Numbers that can't be."""
    name = one(random, [name for name in read_arrays(file) if file[name].dtype.kind in "iuf" and file[name].size])
    values = file[name][()]
    flat = np.atleast_1d(values).ravel().astype(np.float64 if values.dtype.kind == "f" else object)
    for _unused in range(int(random.integers(1, 4))):
        number = one(random, NUMBERS)
        whole = values.dtype.kind != "f"
        flat[int(random.integers(flat.size))] = int(number) if whole and np.isfinite(number) else 0 if whole else number
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    limits = np.iinfo(np.int64)
    if kind == np.int64:
        flat = np.array([min(limits.max, max(limits.min, int(number))) for number in flat], dtype=np.int64)
    keep = int(random.integers(2))
    with np.errstate(all="ignore"):
        new = flat.reshape(np.shape(values)).astype(values.dtype if keep else kind)
    put(file, name, data=new)


def spoil_sparse(file, random, _):
    group = one(random, [name for name in groups(file) if f"{name}/indptr" in file])
    part = one(random, ["indptr", "indices", "data"])
    values = file[f"{group}/{part}"][()].astype(np.float64 if part == "data" else np.int64)
    at = int(random.integers(len(values)))
    size = len(file[f"{group}/data"])
    changes = {"end": lambda: values.__setitem__(-1, size + 1), "start": lambda: values.__setitem__(0, 1),
               "fall": lambda: values.__setitem__(at, 0), "low": lambda: values.__setitem__(at, -1),
               "high": lambda: values.__setitem__(at, 2**40), "same": lambda: values.__setitem__(slice(None), 0),
               "reverse": lambda: values.__setitem__(slice(None), values[::-1].copy())}
    one(random, changes.values())()
    put(file, f"{group}/{part}", data=values)


def huge(file, random, _):
    """Shapes that nothing is stored for."""
    name, shape = one(random, read_arrays(file)), one(random, HUGE)
    kind = one(random, [file[name].dtype, np.float32, np.int64, np.int8])
    if kind.hasobject if isinstance(kind, np.dtype) else False:
        kind = TEXT
    options = one(random, [{"compression": "gzip"}, {}, {"shuffle": True}])
    new = put(file, name, shape=shape, dtype=kind, chunks=tuple(min(extent, 64) for extent in shape), **options)
    if random.integers(2) and kind != TEXT:
        new[(slice(0, 1),) * len(shape)] = 1


def other_kind(file, random, _):
    name = one(random, read_arrays(file) + groups(file))
    is_array = isinstance(file[name], h5py.Dataset)
    del file[name]
    if is_array:
        file.create_group(name)
    else:
        file[name] = one(random, [np.arange(5), 3.5, "text", h5py.Empty(np.int8)])


def named_type(file, random, _):
    name = one(random, read_arrays(file) + groups(file))
    del file[name]
    file[name] = np.dtype(np.float32)


def link(file, random, _):
    """Soft links that lead nowhere, in circles or to something else; groups that hold themselves."""
    name = one(random, read_arrays(file) + groups(file))
    other = one(random, read_arrays(file) + groups(file))
    target = one(random, [f"/{name}", "/nowhere", f"/{other}", "/", ".", "/obs/../var", f"/{name}/{name}"])
    if random.integers(3) == 0:
        file[f"{one(random, groups(file))}/loop"] = file["/"]
        return
    del file[name]
    file[name] = h5py.SoftLink(target)


def way_out(file, random, canary):
    """Links, storage and virtual arrays that lead into another file."""
    name = one(random, read_arrays(file) + groups(file))
    secret = one(random, [str(canary / "secret.h5"), f"{canary.name}/secret.h5", "/etc/passwd", "%s%n", "../secret.h5"])
    how = int(random.integers(4))
    is_array = isinstance(file[name], h5py.Dataset)
    shape = file[name].shape if is_array else (24, 40)
    del file[name]
    if how == 0:
        file[name] = h5py.ExternalLink(secret, one(random, ["/X", "/", "/obs"]))
    elif how == 1:
        file["elsewhere"] = h5py.ExternalLink(secret, "/")
        file[name] = h5py.SoftLink("/elsewhere/X")
    elif how == 2:
        size = max(1, int(np.prod(shape))) * 4
        file.create_dataset(name, shape=shape, dtype=np.float32, external=[(str(canary / "secret.txt"), 0, size)])
    else:
        layout = h5py.VirtualLayout(shape=shape or (1,), dtype=np.float32)
        layout[...] = h5py.VirtualSource(one(random, [secret, "."]), one(random, ["X", name]), shape=shape or (1,))
        file.create_virtual_dataset(name, layout)


def filters(file, random, _):
    """Filters that mask-sc undoes, leaves to HDF5, or does not have."""
    name = one(random, [name for name in read_arrays(file) if file[name].dtype.kind in "iuf" and file[name].size
                        and file[name].ndim])
    values = file[name][()]
    how = int(random.integers(6))
    if how == 5:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk(values.shape)
        create.set_filter(one(random, [32077, 32001, 305, 5]), h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        del file[name]
        new = h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(values.dtype),
                              h5py.h5s.create_simple(values.shape), dcpl=create)
        new.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))
        return
    options = [{"compression": "lzf"}, {"scaleoffset": 0 if values.dtype.kind in "iu" else 3},
               {"fletcher32": True, "compression": "gzip"}, {"shuffle": True, "compression": 9}, {"fletcher32": True}]
    put(file, name, data=values, chunks=True, **options[how])


def chunk(file, random, _):
    """A stored chunk that unpacks to too little, too much, or not at all."""
    name = one(random, [name for name in read_arrays(file) if file[name].chunks and file[name].size])
    array = file[name]
    size = int(np.prod(array.chunks)) * (16 if array.dtype.hasobject else array.dtype.itemsize)
    packed = one(random, [zlib.compress(bytes(max(1, size // 3))), zlib.compress(bytes(size * 2)), b"", b"\0",
                          random.bytes(max(1, size)), random.bytes(7), zlib.compress(random.bytes(size))[:-5],
                          zlib.compress(bytes(size)) + b"more"])
    array.id.write_direct_chunk((0,) * array.ndim, packed or b"\1", int(one(random, [0, 0, 1, 2, 7, 2**31])))


def attribute(file, random, _):
    item = file[one(random, groups(file) + ["/"] + arrays(file))]
    key = one(random, ATTRIBUTES + list(item.attrs))
    kind = int(random.integers(9))
    if key in item.attrs:
        del item.attrs[key]
    value = [None, one(random, NAMES[:-4]), np.bytes_(one(random, BYTES)), one(random, [-1, 3, 2**62, 1.5]),
             np.array(one(random, [[24, 40], [-1, 40], [2**62, 2**62], [24], [24, 40, 1], [0, 0]])),
             np.array([24.0, 40.0]), item.ref, h5py.Empty("S3"),
             np.array(one(random, [["a", "b"], []]), dtype=object)][kind]
    if kind == 8:
        item.attrs.create(key, value, dtype=TEXT)
    elif value is not None:
        item.attrs[key] = value


def names(file, random, _):
    """Names and labels of strangers."""
    name = one(random, [name for name in read_arrays(file) if h5py.check_string_dtype(file[name].dtype)
                        and file[name].ndim == 1])
    values = [bytes(value) for value in file[name][()]]
    for _unused in range(int(random.integers(1, 4))):
        raw = random.integers(3) == 0
        values[int(random.integers(len(values)))] = one(random, BYTES) if raw else one(random, NAMES).encode()
    how = int(random.integers(3))
    if how == 0:
        put(file, name, data=np.array(values))
    else:
        cut = [value.replace(b"\0", b"") for value in values]
        new = put(file, name, shape=(len(values),), dtype=h5py.string_dtype("ascii" if how == 2 else "utf-8"))
        new[...] = np.array(cut, dtype=object)


def columns(file, random, _):
    """Columns of odd names, many columns, and a huge attribute."""
    frame = file[one(random, [frame for frame in ("obs", "var", "layers", "/") if frame in file])]
    for _unused in range(int(random.choice([1, 3, 300]))):
        name = one(random, NAMES).replace("/", "_").replace("\0", "") or "_"
        if name not in frame and name not in (".", ".."):
            frame[name] = np.arange(3)
    frame.attrs["long"] = "z" * int(random.choice([10, 60000]))


def codes(file, random, _):
    group = one(random, [name for name in groups(file) if f"{name}/codes" in file])
    values = file[f"{group}/codes"][()].astype(np.int64)
    at = int(random.integers(len(values)))
    values[at] = one(random, [-2, -128, 3, 127, 2**31, -2**63])
    put(file, f"{group}/codes", data=values.astype(one(random, [np.int64, np.int8, np.float32])))
    if random.integers(2):
        texts = one(random, [[], ["a"], ["a"] * 3, ["", "", ""], ["x" * 5000] * 3])
        put(file, f"{group}/categories", data=np.array(texts, dtype=object), dtype=TEXT)


def compact(file, random, _):
    """Texts in the object header, where mask-sc has HDF5 follow the references."""
    name = one(random, [name for name in read_arrays(file) if file[name].dtype.kind != "V" and file[name].ndim])
    values, kind = file[name][()], file[name].id.get_type()
    if values.nbytes > 40000:
        raise Skip
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.COMPACT)
    del file[name]
    new = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(values.shape), dcpl=create)
    h5py.Dataset(new)[...] = values


def zeros(file, random, _):
    """Much more than the file is long."""
    name = one(random, ["X", "layers/counts", "indices", "values"])
    if name not in file:
        raise Skip
    put(file, name, data=np.zeros((24, 2**18) if name[0] in "Xl" else 2**22, np.float32), compression=9, chunks=True)


STRUCTURED = [remove, retype, reshape, null, spoil, spoil_sparse, huge, other_kind, named_type, link, way_out, filters,
              chunk, attribute, names, columns, codes, compact]
RARE = [zeros]


def mutate(source, target, random, canary):
    """Writes a copy with one or two mutations; tells the first one's name."""
    first = None
    for attempt in range(20):
        shutil.copyfile(source, target)
        change = one(random, RARE if random.integers(100) == 0 else STRUCTURED)
        try:
            with h5py.File(target, "r+") as file:
                change(file, random, canary)
                first = change.__name__
                if random.integers(4) == 0:
                    one(random, STRUCTURED)(file, random, canary)
            return first
        except (Skip, KeyError, ValueError, TypeError, OSError, RuntimeError, IndexError, OverflowError,
                AttributeError) as problem:
            if first is not None and not isinstance(problem, OSError):
                return first
    raise RuntimeError(f"no mutation of {source} succeeded in {attempt + 1} attempts: {problem}")
