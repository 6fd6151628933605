"""Ideas around the fast recipe, one at a time, on the PyTorch prototype (../shared/reference): which of them help?

    python benchmarks/ablation.py BUILD RESULTS.jsonl [--data pbmc,worm,bladder] [--seeds 0,1,2] [--ideas LIST]
    python benchmarks/ablation.py --table RESULTS.jsonl

The model and training of configs/fast.ini (64 dimensions, 2 + 1 blocks, 16 tokens, 72 epochs, guidance 3 on the mean,
half of the tokens masked) with one change; data, teachers and starting weights of a seed are the same for all. Features
are scored with true k: ARI, NMI and silhouette of BUILD's masksc_cluster, by its default and by K-means alone. One line
of JSON a result; what RESULTS holds already is not computed again. Needs torch, scanpy; one thread.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import anndata
import numpy as np
import scanpy as sc
import torch
import torch.nn.functional as F
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
DATA = {"pbmc": ("10X_PBMC_top2000.h5", 44), "worm": ("worm_neuron_cell.h5", 64), "bladder": ("mouse_bladder_cell.h5", 64)}
TRAINED = {
    "base": "the recipe",
    "dropout": "dropout of .1 on the residual branches",
    "momentum": "also predicts the whole cell as a momentum encoder (.996) sees it, weight 1",
    "contrast": "InfoNCE between two masked views, weight .1",
    "curriculum": "the masked share grows from .25 to .75",
    "quarter": "a quarter of the tokens masked",
    "coexpression": "genes in the order of hierarchical clustering of their correlations",
    "expressed": "visible tokens drawn by the share of their genes that are expressed",
    "teachers": "guided by three sequence encoders, of seeds of their own",
}
# Other ways to features, of the recipe's model.
READ = {
    "averaged": "weights averaged over the steps (.998)",
    "views": "mean of 16 masked views instead of the whole cell",
    "unit": "features of unit length",
    "white": "features whitened",
}
LEIDEN = "Leiden (resolution .2) in place of K-means"
SETTINGS = dict(dim=64, encoder=2, decoder=1, heads=4, epochs=72, batch=64, lr=1e-3, guidance=3.0, mask=0.5)


def prototype():
    folder = SHARED / "reference"
    if not (folder / "masksc_prototype.py").exists():
        sys.exit(f"ablation.py: no prototype at {folder}/masksc_prototype.py")
    sys.path.insert(0, str(folder))
    import masksc_prototype
    return masksc_prototype


def coexpression_order(x):
    from scipy.cluster.hierarchy import leaves_list, linkage
    return leaves_list(linkage(np.nan_to_num(np.corrcoef(x.T)), "average", metric="euclidean"))


class Cells:
    """A data set as tokens, with the teachers of a seed."""

    def __init__(self, proto, name, seed):
        file, side = DATA[name]
        x, variance, self.labels = proto.load(SHARED / "data" / file, side * side, True)
        if x.shape[1] > side * side:
            x = x[:, np.sort(np.argsort(-variance[: x.shape[1]])[: side * side])]
        self.proto, self.side, self.seed, self.x = proto, side, seed, x
        self.expressed = x > x.min(0) + 1e-6  # a gene's lowest value is that of no count
        self.made = {}

    def tokens(self, order=None):
        """Patches [N, 16, P*P], expressed share [N, 16], gene index, x."""
        x = self.x if order is None else self.x[:, order]
        expressed = self.expressed if order is None else self.expressed[:, order]
        side, patch = self.side, self.side // 4
        fill = ((0, 0), (0, side * side - x.shape[1]))
        x, expressed = torch.tensor(np.pad(x, fill)), torch.tensor(np.pad(expressed, fill)).float()
        index = torch.arange(side * side).view(4, patch, 4, patch).permute(0, 2, 1, 3).reshape(16, -1)
        return x, x[:, index], expressed[:, index].mean(2), index

    def teacher(self, number, ordered):
        """Answers of a sequence encoder: whole cells [N, 60], standardised, and targets [N, 16, 60]."""
        key = (number, ordered)
        if key not in self.made:
            torch.manual_seed(1000 * number + self.seed)
            x, patches, _, index = self.tokens(coexpression_order(self.x) if ordered else None)
            net = self.proto.contrastive_sc(x)
            with torch.no_grad():
                whole = F.normalize(net(x), dim=1)
            whole = (whole - whole.mean(0)) / whole.std()
            self.made[key] = whole, self.proto.patch_targets(net, patches, index, self.side**2)
        return self.made[key]


def embed(model, patches):
    with torch.no_grad():
        return torch.cat([model.encode(q)[:, 1:].mean(1) for q in patches.split(256)]).numpy()


def embed_views(model, patches, views=16):
    torch.manual_seed(0)
    with torch.no_grad():
        seen = 0
        for _ in range(views):
            keep = torch.rand(len(patches), 16).argsort(1)[:, :8]
            seen = seen + torch.cat([model.encode(q, k)[:, 1:].mean(1) for q, k in zip(patches.split(256), keep.split(256))])
    return (seen / views).numpy()


def with_dropout(model, share):
    for block in [*model.encoder, *model.decoder]:
        for branch in (block.proj, block.mlp):
            branch.register_forward_hook(lambda _module, _input, out: F.dropout(out, share, training=torch.is_grad_enabled()))


def info_nce(a, b, temperature=0.07):
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    return F.cross_entropy(scores, torch.arange(len(a)))


def averaged_into(mean, model, decay):
    with torch.no_grad():
        for m, p in zip(mean.parameters(), model.parameters()):
            m.lerp_(p, 1 - decay)


def train(cells, idea):
    """Features by name: of the idea, and for the recipe also those of READ."""
    s = SETTINGS
    proto, ordered = cells.proto, idea == "coexpression"
    _, patches, expressed, _ = cells.tokens(coexpression_order(cells.x) if ordered else None)
    whole, target = cells.teacher(0, ordered)
    if idea == "teachers":
        whole = torch.cat([cells.teacher(number, False)[0] for number in range(3)], 1)
    torch.manual_seed(cells.seed)
    new = lambda: proto.MaskSC(16, patches.shape[2], target.shape[2], whole.shape[1], s["dim"], s["encoder"], s["decoder"], s["heads"])
    model, mean = new(), new()
    mean.load_state_dict(model.state_dict())
    extra = torch.nn.Sequential(torch.nn.Linear(s["dim"], s["dim"]), torch.nn.GELU(), torch.nn.Linear(s["dim"], s["dim"]))
    if idea == "dropout":
        with_dropout(model, 0.1)
    parameters = [*model.parameters(), *(extra.parameters() if idea == "momentum" else [])]
    opt = torch.optim.AdamW(parameters, s["lr"], betas=(0.9, 0.95), weight_decay=0.05)
    count, batch = len(patches), s["batch"]
    steps, step = s["epochs"] * (count // batch), 0
    for _ in range(s["epochs"]):
        for index in torch.randperm(count)[: count // batch * batch].split(batch):
            for group in opt.param_groups:
                group["lr"] = s["lr"] * min(1, step / (0.1 * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))
            share = {"quarter": 0.25, "curriculum": 0.25 + 0.5 * step / steps}.get(idea, s["mask"])
            visible = round(16 * (1 - share))

            def draw():
                keys = torch.rand(batch, 16)
                if idea == "expressed":  # exponential clocks: drawn one after the other in proportion to the weights
                    keys = -keys.log() / (expressed[index] + 1e-3)
                order = keys.argsort(1)
                return order[:, :visible], order[:, visible:]

            keep, masked = draw()
            encoded, predicted = model(patches[index], keep, masked)
            seen = encoded[:, 1:].mean(1)
            loss = F.mse_loss(predicted, proto.rows(target[index], masked)) + s["guidance"] * F.mse_loss(model.guide(seen), whole[index])
            if idea == "momentum":
                with torch.no_grad():
                    wanted = F.layer_norm(mean.encode(patches[index])[:, 1:].mean(1), (s["dim"],))
                loss = loss + F.mse_loss(extra(seen), wanted)
            if idea == "contrast":
                loss = loss + 0.1 * info_nce(seen, model.encode(patches[index], draw()[0])[:, 1:].mean(1))
            opt.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            opt.step()
            step += 1
            if idea in ("base", "momentum"):
                averaged_into(mean, model, 0.996 if idea == "momentum" else min(0.998, step / (step + 10)))
    features = {idea: embed(model, patches)}
    if idea == "base":
        own = features["base"]
        features["averaged"] = embed(mean, patches)
        features["views"] = embed_views(model, patches)
        features["unit"] = own / np.linalg.norm(own, axis=1, keepdims=True)
        left, values, _ = np.linalg.svd(own - own.mean(0), full_matrices=False)
        features["white"] = left[:, values > 1e-3 * values[0]] * math.sqrt(len(own))
    return features


def score(build, features, labels, *options):
    """ARI, NMI, silhouette of masksc_cluster's clusters of the features."""
    with tempfile.TemporaryDirectory() as folder:
        data = anndata.AnnData(np.ones((len(features), 1), np.float32), obsm={"X_masksc": features.astype(np.float32)})
        data.obs["type"] = [f"type {label}" for label in labels]
        data.write_h5ad(f"{folder}/in.h5ad")
        done = subprocess.run([f"{build}/bin/masksc_cluster", "--input", f"{folder}/in.h5ad", "--labels", "type", "--threads", "1",
                               "--output", f"{folder}/out.h5ad", "--quiet", *options], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"ablation.py: masksc_cluster failed: {done.stderr}")
        found = anndata.read_h5ad(f"{folder}/out.h5ad").obs["masksc_clusters"].astype(str)
    return [adjusted_rand_score(labels, found), normalized_mutual_info_score(labels, found), float(silhouette_score(features, found))]


def table(path):
    found = {}
    for line in open(path):
        row = json.loads(line)
        for clustering in ("best", "kmeans"):
            found.setdefault((row["idea"], clustering), {}).setdefault(row["data"], []).append(row[clustering])
    for clustering in ("best", "kmeans"):
        print(f"\n{clustering}\n\n| idea | {' | '.join(DATA)} | seeds |\n|---|{'---|' * len(DATA)}---|")
        for idea, title in {**TRAINED, **READ, "leiden": LEIDEN}.items():
            rows = found.get((idea, clustering), {})
            shown = [" / ".join(f"{m:.3f} ± {d:.3f}" for m, d in zip(np.mean(rows[d], 0), np.std(rows[d], 0, ddof=1))) if len(rows.get(d, [])) > 1 else "" for d in DATA]
            print(f"| {title} | {' | '.join(shown)} | {', '.join(str(len(rows.get(d, []))) for d in DATA)} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+")
    p.add_argument("--table", action="store_true")
    p.add_argument("--data", default=",".join(DATA))
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--ideas", default=",".join(TRAINED))
    a = p.parse_args()
    if a.table:
        return table(a.files[0])
    build, results = a.files
    proto = prototype()
    torch.set_num_threads(1)
    sc.settings.verbosity = 0
    there = {(r["data"], r["seed"], r["idea"]) for r in map(json.loads, open(results))} if pathlib.Path(results).exists() else set()
    for name in a.data.split(","):
        for seed in map(int, a.seeds.split(",")):
            cells = None
            for idea in a.ideas.split(","):
                if (name, seed, idea) in there:
                    continue
                cells = cells or Cells(proto, name, seed)
                start = time.time()
                for label, features in train(cells, idea).items():
                    row = {"data": name, "seed": seed, "idea": label, "seconds": round(time.time() - start)}
                    row["best"] = score(build, features, cells.labels, "--seed", str(seed))
                    row["kmeans"] = score(build, features, cells.labels, "--seed", str(seed), "--clustering", "kmeans")
                    rows = [row]
                    if label == "base":
                        found = score(build, features, cells.labels, "--seed", str(seed), "--method", "leiden")
                        rows.append({**row, "idea": "leiden", "best": found, "kmeans": found})
                    with open(results, "a") as out:
                        for line in rows:
                            out.write(json.dumps(line) + "\n")
                    print(row, flush=True)


if __name__ == "__main__":
    main()
