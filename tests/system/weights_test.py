"""The weights that a run leaves, in a short PyTorch model: the same features, from model.json and safetensors alone."""
import json
import unittest

import anndata
import numpy as np
import torch
import torch.nn.functional as F

import support


def load_safetensors(path):
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header.pop("__metadata__")
    return {name: torch.tensor(np.frombuffer(data[end + entry["data_offsets"][0]:end + entry["data_offsets"][1]],
                                             dtype=np.float32).reshape(entry["shape"]))
            for name, entry in header.items()}


def patches_of(cells, expression):
    """[cells, tokens with genes, genes of a patch]"""
    counts = cells.X.toarray().astype(np.float64)
    normalised = counts / counts.sum(1, keepdims=True) * expression["target_total"]
    values = normalised if expression["counts"] else np.log1p(normalised)  # Pearson residuals, or logs
    columns = [cells.var_names.get_loc(name) for name in expression["genes"]]
    scaled = (values[:, columns] - np.array(expression["mean"])) * np.array(expression["inverse_sd"])
    scaled = np.clip(scaled, -expression["clip"], expression["clip"])
    slots = np.array(expression["slot_to_column"])
    padded = np.concatenate([scaled, np.zeros((len(scaled), 1))], 1)[:, slots]
    size = expression["patch"][0] * expression["patch"][1]
    used = (slots.reshape(-1, size) >= 0).any(1)
    return torch.tensor(padded.reshape(len(scaled), -1, size)[:, used], dtype=torch.float32)


def features_of(weights, patches, depth, heads):
    def linear(name, x):
        return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"])

    x = linear("embed", patches) + weights["pos"]
    x = torch.cat([weights["cls"].expand(len(x), -1, -1), x], 1)
    b, t, d = x.shape
    for i in range(depth):
        name = f"encoder.{i}"
        q, k, v = linear(name + ".qkv", norm(name + ".norm1", x)).view(b, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d)
        x = x + linear(name + ".proj", attended)
        x = x + linear(name + ".fc2", F.gelu(linear(name + ".fc1", norm(name + ".norm2", x))))
    return norm("enc_norm", x)[:, 1:].mean(1)


class Weights(unittest.TestCase):
    def test_pytorch_gives_the_same_features(self):
        for standardize, guidance in (("yes", "components"), ("residuals", "sequence")):
            output = support.fresh("weights", standardize)
            done = support.train(output, "--standardize", standardize, "--guidance-target", guidance)
            self.assertEqual(done.codes, [0, 0], done)
            model = json.loads((output / "model" / "model.json").read_text())
            weights = load_safetensors(output / "model" / "masked_autoencoder.safetensors")
            result = anndata.read_h5ad(output / "result.h5ad")
            with torch.no_grad():
                found = features_of(weights, patches_of(result, model["expression"]),
                                    int(model["settings"]["encoder-depth"]), int(model["settings"]["encoder-heads"]))
                self.assertEqual(model["predicted_features"], guidance == "components")
                if model["predicted_features"]:
                    found = F.linear(found, weights["guide.weight"], weights["guide.bias"])
            np.testing.assert_allclose(found.numpy(), result.obsm["X_masksc"], atol=1e-5, err_msg=standardize)


if __name__ == "__main__":
    unittest.main()
