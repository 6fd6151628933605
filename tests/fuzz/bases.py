"""Sound files of every layout that mask-sc reads, small enough to be mutated by the thousand."""
import pathlib

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse

CELLS, GENES = 24, 40
GROUPS = ["T cell", "B cell", "NK"]


def counts(seed=7):
    random = np.random.default_rng(seed)
    values = random.poisson(0.9, size=(CELLS, GENES)).astype(np.float32)
    values[:, 0] = 1
    values[0, :] = 1
    values[5, :] = 0  # an empty cell: dropped
    return values


def table(values, matrix):
    """An AnnData with names, a categorical and a plain column of labels, layers, raw and highly_variable."""
    random = np.random.default_rng(3)
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(CELLS)])
    obs["group"] = pd.Categorical(random.choice(GROUPS, size=CELLS), categories=GROUPS)
    obs["batch"] = random.integers(3, size=CELLS)
    obs["name"] = [f"name {i % 4}" for i in range(CELLS)]
    var = pd.DataFrame({"highly_variable": random.random(GENES) < 0.9}, index=[f"gene{i}" for i in range(GENES)])
    data = anndata.AnnData(matrix, obs=obs, var=var)
    data.raw = data.copy()
    data.layers["counts"] = values
    data.obs["nullable"] = pd.array([None if i % 5 == 0 else i for i in range(CELLS)], dtype="Int64")
    data.obsm["X_pca"] = random.random((CELLS, 3))
    data.obsm["table"] = data.obs[["group", "batch"]]
    data.obsp["rows"] = scipy.sparse.random(CELLS, CELLS, 0.2, format="csr", random_state=1)
    data.obsp["columns"] = data.obsp["rows"].tocsc()
    data.uns["nested"] = {"text": "here", "numbers": np.arange(3), "more": {"flag": True}}
    return data


def write_h5ad(path, matrix, **options):
    table(counts(), matrix).write_h5ad(path, **options)


def write_new_format(path):
    """The same in the file format of HDF5 1.10: other headers, indexes and heaps, with checksums."""
    write_h5ad(path.with_suffix(".old"), scipy.sparse.csr_matrix(counts()), compression="gzip")
    with h5py.File(path.with_suffix(".old")) as old, h5py.File(path, "w", libver="latest") as new:
        for name in old:
            old.copy(name, new)
        for key, value in old.attrs.items():
            new.attrs[key] = value
    path.with_suffix(".old").unlink()


def write_legacy(path):
    """What anndata 0.7 wrote: categories aside, fixed texts."""
    values = scipy.sparse.csr_matrix(counts())
    with h5py.File(path, "w") as file:
        matrix = file.create_group("X")
        matrix.attrs["h5sparse_format"] = "csr"
        matrix.attrs["h5sparse_shape"] = values.shape
        for part in ("data", "indices", "indptr"):
            matrix.create_dataset(part, data=getattr(values, part), compression="gzip", shuffle=True)
        for frame, prefix, length in (("obs", "cell", CELLS), ("var", "gene", GENES)):
            group = file.create_group(frame)
            group.attrs["_index"] = "index"
            group["index"] = np.array([f"{prefix}{i}".encode() for i in range(length)])
        file["obs/group"] = np.arange(CELLS, dtype=np.int8) % len(GROUPS)
        file["obs/__categories/group"] = np.array([name.encode() for name in GROUPS])


def write_10x(path):
    """What Cell Ranger 3 writes, with some antibodies."""
    values = scipy.sparse.csr_matrix(counts())
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            matrix.create_dataset(part, data=getattr(values, part).astype(np.int32), compression="gzip", shuffle=True,
                                  chunks=(64,), maxshape=(None,))
        matrix["shape"] = np.array([GENES, CELLS], np.int32)
        matrix["barcodes"] = np.array([f"ACGT{i}-1".encode() for i in range(CELLS)])
        kinds = [b"Gene Expression"] * (GENES - 4) + [b"Antibody Capture"] * 4
        texts = {"id": [f"ENSG{i}".encode() for i in range(GENES)], "feature_type": kinds,
                 "name": [f"gene{i // 2}".encode() for i in range(GENES)], "genome": [b"GRCh38"] * (GENES - 4) + [b""] * 4}
        for name, column in texts.items():
            matrix.create_dataset(f"features/{name}", data=np.array(column), compression="gzip")


def write_legacy_10x(path):
    """What Cell Ranger 2 wrote of two genomes."""
    values = scipy.sparse.csr_matrix(counts())
    with h5py.File(path, "w") as file:
        for genome in ("GRCh38", "mm10"):
            group = file.create_group(genome)
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(values, part).astype(np.int64)
            group["shape"] = np.array([GENES, CELLS], np.int32)
            group["barcodes"] = np.array([f"ACGT{i}-1".encode() for i in range(CELLS)])
            group["genes"] = np.array([f"ENSG{i}".encode() for i in range(GENES)])
            group["gene_names"] = np.array([f"gene{i}" for i in range(GENES)], dtype=object)


def write_xy(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=counts(), chunks=(7, 11), compression="gzip", shuffle=True, fletcher32=True)
        file["Y"] = np.arange(CELLS) % 3


def write_bases(folder):
    """The files, by name; a prepared file is for the programs of mask-sc to add."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = counts()
    writers = {
        "csr.h5ad": lambda path: write_h5ad(path, scipy.sparse.csr_matrix(values)),
        "csc.h5ad": lambda path: write_h5ad(path, scipy.sparse.csc_matrix(values), compression="gzip"),
        "dense.h5ad": lambda path: write_h5ad(path, values, compression="gzip"),
        "lzf.h5ad": lambda path: write_h5ad(path, scipy.sparse.csr_matrix(values), compression="lzf"),
        "new.h5ad": write_new_format,
        "legacy.h5ad": write_legacy,
        "xy.h5": write_xy,
        "10x.h5": write_10x,
        "legacy_10x.h5": write_legacy_10x,
    }
    for name, write in writers.items():
        write(folder / name)
    return [folder / name for name in writers]
