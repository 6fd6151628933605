"""The Python of the README, as it stands there, on the result of a small run; and what it shows of a plan."""
import importlib.util
import json
import re
import subprocess
import sys
import unittest

import anndata
import numpy as np

import support

# What the script leaves, looked at after its last line.
LOOK = """
import json
frame = {g: scanpy.get.rank_genes_groups_df(cells, group=g)["names"][:5].tolist() for g in cells.obs["masksc"].cat.categories}
print(json.dumps({"umap": cells.obsm["X_umap"].shape, "finite": bool((abs(cells.obsm["X_umap"]) < 1e6).all()), "markers": frame}))
"""


@unittest.skipUnless(importlib.util.find_spec("scanpy"), "no scanpy here: launch/setup.sh installs it")
class Scanpy(unittest.TestCase):
    def test_script_gives_a_map_and_markers(self):
        blocks = re.findall(r"^```python\n(.*?)^```", (support.ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 1)
        folder = support.fresh("readme")
        (folder / "results").mkdir(parents=True)
        (folder / "results" / "cells").symlink_to(support.BASE)
        before = (support.BASE / "result.h5ad").read_bytes()
        done = subprocess.run([sys.executable, "-c", blocks[0] + LOOK], capture_output=True, text=True, cwd=folder,
                              env={**support.environment(), "MPLBACKEND": "Agg"}, timeout=500)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((folder / "figures" / "umap.png").read_bytes().startswith(b"\x89PNG"))
        self.assertEqual((support.BASE / "result.h5ad").read_bytes(), before)
        left = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((left["umap"], left["finite"]), ([support.CELLS, 2], True))
        self.check_markers(left["markers"])

    def check_markers(self, markers):
        """Most of the first five genes of a cluster are more active in the group of most of its cells than elsewhere."""
        cells, genes = anndata.read_h5ad(support.BASE / "result.h5ad"), anndata.read_h5ad(support.SIMULATED).var
        self.assertEqual(set(markers), set(cells.obs["masksc"].cat.categories))
        factors = genes[[name for name in genes if name.startswith("factor_")]]
        for cluster, names in markers.items():
            group = cells.obs["group"][cells.obs["masksc"] == cluster].mode()[0]
            others = factors.drop(columns=f"factor_{group}").mean(axis=1)
            rises = factors[f"factor_{group}"].loc[names] > others.loc[names]
            self.assertGreaterEqual(np.count_nonzero(rises), 4, (cluster, group, names))


class Plan(unittest.TestCase):
    def test_every_line_is_what_the_command_prints(self):
        text = (support.ROOT / "README.md").read_text()
        command, shown = re.search(r"^build/release/bin/masksc_train (--plan .*)\n```\n\nprints, shortened,\n\n```\n(.*?)^```", text,
                                   re.MULTILINE | re.DOTALL).groups()
        done = subprocess.run([support.program("masksc_train"), *command.split()], capture_output=True, text=True,
                              cwd=support.ROOT, env=support.environment(), timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line for line in shown.splitlines() if line not in done.stdout.splitlines()], [])


if __name__ == "__main__":
    unittest.main()
