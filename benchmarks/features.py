"""Features of CELLS cells in 20 unequal Gaussian groups, as an h5ad for masksc_cluster: what clustering an atlas takes.

    python benchmarks/features.py 10000000 features.h5ad
    mpirun -np 2 /usr/bin/time -v masksc_cluster --input features.h5ad --labels type --clusters 20 --output clusters.h5ad
    mpirun -np 2 /usr/bin/time -v masksc_cluster --input features.h5ad --labels type --method leiden --output clusters.h5ad

64 features a cell (obsm X_masksc), one gene with a count of 1, the group in obs type. 320 bytes a cell.
"""
import sys

import h5py
import numpy as np

COLUMNS, GROUPS, BLOCK = 64, 20, 500_000


def mark(item, kind, version):
    item.attrs["encoding-type"], item.attrs["encoding-version"] = kind, version
    return item


def frame(file, name, index, columns):
    group = mark(file.create_group(name), "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    mark(group.create_dataset("_index", data=index, dtype=h5py.string_dtype()), "string-array", "0.2.0")
    for column, values in columns.items():
        mark(group.create_dataset(column, data=values), "array", "0.2.0")


def main(cells, path):
    random = np.random.default_rng(0)
    centres = (1.2 * random.normal(size=(GROUPS, COLUMNS))).astype(np.float32)
    groups = random.choice(GROUPS, cells, p=random.dirichlet(np.full(GROUPS, 2.0)))
    with h5py.File(path, "w") as file:
        mark(file, "anndata", "0.1.0")
        frame(file, "obs", np.array([b"cell%d" % i for i in range(cells)], dtype=object), {"type": groups.astype(np.int32)})
        frame(file, "var", np.array([b"gene"], dtype=object), {})
        counts = mark(file.create_group("X"), "csr_matrix", "0.1.0")
        counts.attrs["shape"] = np.array([cells, 1])
        counts["data"], counts["indices"] = np.ones(cells, np.float32), np.zeros(cells, np.int32)
        counts["indptr"] = np.arange(cells + 1, dtype=np.int64)
        for name in ("obsm", "layers", "uns", "obsp", "varm", "varp"):
            mark(file.create_group(name), "dict", "0.1.0")
        features = mark(file["obsm"].create_dataset("X_masksc", (cells, COLUMNS), np.float32, chunks=(min(cells, 8192), COLUMNS)), "array", "0.2.0")
        for begin in range(0, cells, BLOCK):
            block = groups[begin:begin + BLOCK]
            features[begin:begin + BLOCK] = centres[block] + random.normal(size=(len(block), COLUMNS)).astype(np.float32)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
