"""A second reader: what h5py makes of the X of a file whose counts mask-sc accepted.

    second.py LIST     a file name a line; says "NAME same", "NAME DIFFERS" or "NAME unreadable" for each
"""
import sys
import warnings

import h5py
import numpy as np
import scipy.sparse


def ours(path):
    data = np.fromfile(path + ".counts", dtype=np.uint8)
    rows, columns = data[:16].view(np.int64)
    return data[16:].view(np.float32).reshape(rows, columns)


def ten_x(file):
    """Genes of the only genome, or of GRCh38 (the choice of read_files.cpp)."""
    if "matrix/features" not in file:
        group, genes = file["GRCh38"], slice(None)
    else:
        group = file["matrix"]
        genes = np.flatnonzero(group["features/feature_type"][()].astype(bytes) == b"Gene Expression")
        if "genome" in group["features"]:
            genome = group["features/genome"][()].astype(bytes)[genes]
            genes = genes[genome == b"GRCh38"]
    parts = [group[name][()] for name in ("data", "indices", "indptr")]
    parts[0] = parts[0].astype(np.float64)
    features, cells = (int(extent) for extent in group["shape"][()])
    return scipy.sparse.csr_matrix(tuple(parts), shape=(cells, features))[:, genes]


def theirs(file):
    if file.attrs.get("masksc") == "prepared counts":
        parts = [file[name][()] for name in ("values", "indices", "row_start")]
        parts[0] = parts[0].astype(np.float64)
        parts[0][parts[0] == 0] = file["large"][()]
        return scipy.sparse.csr_matrix(tuple(parts), shape=(len(parts[2]) - 1, len(file["gene_names/start"]) - 1))
    if "X" not in file:
        return ten_x(file)
    matrix = file["X"]
    if isinstance(matrix, h5py.Dataset):
        return matrix[()]
    kind = matrix.attrs.get("encoding-type", "")
    kind = kind if kind in ("csr_matrix", "csc_matrix") else matrix.attrs["h5sparse_format"] + "_matrix"
    shape = matrix.attrs["shape"] if len(matrix.attrs.get("shape", [])) else matrix.attrs["h5sparse_shape"]
    parts = [matrix[name][()] for name in ("data", "indices", "indptr")]
    parts[0] = parts[0].astype(np.float64)
    made = {"csr_matrix": scipy.sparse.csr_matrix, "csc_matrix": scipy.sparse.csc_matrix}[kind]
    return made(tuple(parts), shape=tuple(int(extent) for extent in shape))


def compare(path):
    try:
        with h5py.File(path) as file:
            matrix = theirs(file)
        matrix = np.asarray(matrix.todense()) if scipy.sparse.issparse(matrix) else matrix
        with np.errstate(all="ignore"):
            matrix = matrix.astype(np.float64).astype(np.float32)
    except Exception as problem:  # of any kind: the file is damaged
        return f"unreadable to h5py ({type(problem).__name__})"
    return "same" if np.array_equal(matrix, ours(path)) else "DIFFERS"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in open(sys.argv[1], encoding="utf-8"):
        print(line.strip(), compare(line.strip()), sep="\t", flush=True)
