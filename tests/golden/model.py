"""Golden numbers of both stages from a reference in PyTorch, in double precision.

    python tests/golden/model.py tests/golden/model.h5

Written for checking, not for speed: it builds every patch alone with all other genes zero, scores with loops, and draws
the masks with a Philox of its own.
"""
import math
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
CELLS, GRID, PATCH, DIM, ENCODER, DECODER, HEADS = 12, 3, 2, 16, 2, 1, 2
CROSS_DECODER = 2
TOKENS, GENES_OF_PATCH, FEATURES, HIDDEN1, HIDDEN2 = GRID * GRID, PATCH * PATCH, 6, 10, 8
MASK, GUIDANCE, STEPS, PEAK, WARMUP, DECAY, SEED = 0.6, 0.5, 10, 1e-2, 0.2, 0.05, 7
MASK_PURPOSE = 1
TEMPERATURE = 0.5  # at the default of 0.07 the loss amplifies float32 rounding beyond the tolerance


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def mask_of(cell, epoch, visible):
    mixed = philox([MASK_PURPOSE, 0, 0, 0], [SEED, 0])
    keys = []
    for token in range(TOKENS):
        block = philox([token // 2, epoch, cell, 0], mixed[:2])
        low, high = block[2 * (token % 2)], block[2 * (token % 2) + 1]
        keys.append((((high << 32) | low) & ~0xFFFF) | token)
    order = [key & 0xFFFF for key in sorted(keys)]
    return sorted(order[:visible]), sorted(order[visible:])


def parameters(generator, decoder_depth):
    """name -> leaf tensor, as the C++ names them."""
    p = {}

    def linear(name, inputs, outputs):
        p[name + ".weight"] = torch.randn(outputs, inputs, generator=generator) * 0.3
        p[name + ".bias"] = torch.randn(outputs, generator=generator) * 0.1

    def norm(name):
        p[name + ".weight"] = 1 + torch.randn(DIM, generator=generator) * 0.1
        p[name + ".bias"] = torch.randn(DIM, generator=generator) * 0.1

    linear("embed", GENES_OF_PATCH, DIM)
    for name, count in (("cls", 1), ("mask_token", 1), ("pos", TOKENS), ("dec_pos", TOKENS)):
        p[name] = torch.randn(1, count, DIM, generator=generator) * 0.2
    for block in [f"encoder.{i}" for i in range(ENCODER)] + [f"decoder.{i}" for i in range(decoder_depth)]:
        norm(block + ".norm1")
        linear(block + ".qkv", DIM, 3 * DIM)
        linear(block + ".proj", DIM, DIM)
        norm(block + ".norm2")
        linear(block + ".fc1", DIM, 4 * DIM)
        linear(block + ".fc2", 4 * DIM, DIM)
    norm("enc_norm")
    linear("bridge", DIM, DIM)
    norm("dec_norm")
    linear("head", DIM, FEATURES)
    linear("guide", DIM, FEATURES)
    # float32 values, so that both programs start from the same numbers
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def block(p, name, x):
    cells, tokens, _ = x.shape
    h = F.layer_norm(x, (DIM,), p[name + ".norm1.weight"], p[name + ".norm1.bias"])
    q, k, v = F.linear(h, p[name + ".qkv.weight"], p[name + ".qkv.bias"]).split(DIM, -1)
    q, k, v = (t.view(cells, tokens, HEADS, -1).transpose(1, 2) for t in (q, k, v))
    attention = (q @ k.transpose(-1, -2) / math.sqrt(DIM // HEADS)).softmax(-1)
    x = x + F.linear((attention @ v).transpose(1, 2).reshape(x.shape), p[name + ".proj.weight"], p[name + ".proj.bias"])
    h = F.layer_norm(x, (DIM,), p[name + ".norm2.weight"], p[name + ".norm2.bias"])
    h = F.gelu(F.linear(h, p[name + ".fc1.weight"], p[name + ".fc1.bias"]))
    return x + F.linear(h, p[name + ".fc2.weight"], p[name + ".fc2.bias"]), attention


def encode(p, patches, keep=None):
    tokens = F.linear(patches, p["embed.weight"], p["embed.bias"]) + p["pos"]
    if keep is not None:
        tokens = torch.stack([t[k] for t, k in zip(tokens, keep)])
    x = torch.cat([p["cls"].expand(len(tokens), -1, -1), tokens], 1)
    for i in range(ENCODER):
        x, attention = block(p, f"encoder.{i}", x)
    return F.layer_norm(x, (DIM,), p["enc_norm.weight"], p["enc_norm.bias"]), attention


def forward(p, patches, keep, masked):
    """Encoded tokens, predictions, and the decoder's global token."""
    encoded, _ = encode(p, patches, keep)
    z = F.linear(encoded, p["bridge.weight"], p["bridge.bias"])
    rows = []
    for i in range(len(patches)):
        row = p["mask_token"][0].expand(TOKENS, -1).clone()
        row[keep[i]] = z[i, 1:]
        rows.append(row)
    x = torch.cat([z[:, :1], torch.stack(rows) + p["dec_pos"]], 1)
    for i in range(DECODER):
        x, _ = block(p, f"decoder.{i}", x)
    x = F.layer_norm(x, (DIM,), p["dec_norm.weight"], p["dec_norm.bias"])
    predicted = F.linear(x, p["head.weight"], p["head.bias"])
    return encoded, torch.stack([predicted[i, 1:][masked[i]] for i in range(len(patches))]), x[:, 0]


def cross_block(p, name, x, memory):
    """x [queries, DIM] of one cell attends to memory [tokens, DIM], head by head."""
    w, b = p[name + ".qkv.weight"], p[name + ".qkv.bias"]
    asking = F.layer_norm(x, (DIM,), p[name + ".norm1.weight"], p[name + ".norm1.bias"])
    answering = F.layer_norm(memory, (DIM,), p[name + ".norm1.weight"], p[name + ".norm1.bias"])
    heads = []
    for h in range(HEADS):
        rows = [torch.arange(DIM // HEADS) + part * DIM + h * DIM // HEADS for part in range(3)]
        q = asking @ w[rows[0]].T + b[rows[0]]
        k, v = (answering @ w[r].T + b[r] for r in rows[1:])
        heads.append((q @ k.T / math.sqrt(DIM // HEADS)).softmax(-1) @ v)
    x = x + F.linear(torch.cat(heads, -1), p[name + ".proj.weight"], p[name + ".proj.bias"])
    h = F.layer_norm(x, (DIM,), p[name + ".norm2.weight"], p[name + ".norm2.bias"])
    h = F.gelu(F.linear(h, p[name + ".fc1.weight"], p[name + ".fc1.bias"]))
    return x + F.linear(h, p[name + ".fc2.weight"], p[name + ".fc2.bias"])


def forward_cross(p, patches, keep, masked):
    """As forward, by --decoder cross, cell by cell."""
    encoded, _ = encode(p, patches, keep)
    z = F.linear(encoded, p["bridge.weight"], p["bridge.bias"])
    predictions, firsts = [], []
    for i in range(len(patches)):
        memory = torch.cat([z[i, :1], z[i, 1:] + p["dec_pos"][0, keep[i]]])
        x = torch.cat([z[i, :1], p["mask_token"][0] + p["dec_pos"][0, masked[i]]])
        for block_number in range(CROSS_DECODER):
            x = cross_block(p, f"decoder.{block_number}", x, memory)
        x = F.layer_norm(x, (DIM,), p["dec_norm.weight"], p["dec_norm.bias"])
        predictions.append(F.linear(x[1:], p["head.weight"], p["head.bias"]))
        firsts.append(x[0])
    return encoded, torch.stack(predictions), torch.stack(firsts)


def sequence_parameters(generator):
    genes = TOKENS * GENES_OF_PATCH
    s = {}
    for i, (inputs, outputs) in enumerate([(genes, HIDDEN1), (HIDDEN1, HIDDEN2), (HIDDEN2, FEATURES)], 1):
        s[f"linear{i}.weight"] = torch.randn(1, inputs, outputs, generator=generator) * 0.3
        s[f"linear{i}.bias"] = torch.randn(1, 1, outputs, generator=generator) * 0.1
    for i, size in ((1, HIDDEN1), (2, HIDDEN2)):
        s[f"norm{i}.weight"] = 1 + torch.randn(1, 1, size, generator=generator) * 0.1
        s[f"norm{i}.bias"] = torch.randn(1, 1, size, generator=generator) * 0.1
    s = {name: value.float().double().requires_grad_() for name, value in s.items()}
    running = {}
    for i, size in ((1, HIDDEN1), (2, HIDDEN2)):
        running[f"norm{i}.running_mean"] = (torch.randn(1, 1, size, generator=generator) * 0.1).float().double()
        running[f"norm{i}.running_var"] = (1 + torch.rand(1, 1, size, generator=generator)).float().double()
    return s, running


def sequence_encoder(s, running, x, training):
    """x [rows, genes] -> [rows, FEATURES]; in training the running statistics move."""
    for i in (1, 2):
        x = x @ s[f"linear{i}.weight"][0] + s[f"linear{i}.bias"][0, 0]
        x = F.batch_norm(x, running[f"norm{i}.running_mean"][0, 0], running[f"norm{i}.running_var"][0, 0],
                         s[f"norm{i}.weight"][0, 0], s[f"norm{i}.bias"][0, 0], training, 0.1)
        x = F.relu(x)
    return x @ s["linear3.weight"][0] + s["linear3.bias"][0, 0]


def ntxent(z1, z2, temperature):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    similarity = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    n = len(z1)
    return F.cross_entropy(similarity, torch.cat([torch.arange(n) + n, torch.arange(n)]))


def eq1(z1, z2, temperature):
    similarity = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / temperature
    return F.cross_entropy(similarity, torch.arange(len(z1)))


def train(p, decode, guided_by, patches, masks, targets, teacher):
    """The gradients of the first step and the losses of all."""
    matrices = [v for n, v in p.items() if n.endswith(".weight") and v.dim() == 2]
    others = [v for n, v in p.items() if not (n.endswith(".weight") and v.dim() == 2)]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=DECAY), dict(params=others, weight_decay=0)],
                                  betas=(0.9, 0.95))
    losses, gradients = [], {}
    for step in range(STEPS):
        keep, masked = [m[0] for m in masks[step]], [m[1] for m in masks[step]]
        encoded, predictions, global_token = decode(p, patches, keep, masked)
        wanted = torch.stack([t[m] for t, m in zip(targets, masked)])
        loss = ((predictions - wanted) ** 2).mean(-1).sum() / (CELLS * len(masked[0]))
        guided = F.linear(encoded[:, 1:].mean(1) if guided_by == "mean" else global_token,
                          p["guide.weight"], p["guide.bias"])
        loss = loss + GUIDANCE * ((guided - teacher) ** 2).mean(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradients = {name: value.grad.clone() for name, value in p.items()}
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = PEAK * min(1, (step + 1) / (WARMUP * STEPS)) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.step()
        losses.append(loss.item())
    return gradients, losses


def main():
    generator = torch.Generator().manual_seed(SEED)
    out = h5py.File(sys.argv[1], "w")

    def save(name, values):
        out[name] = np.asarray(values.detach() if torch.is_tensor(values) else values)

    def save_all(group, tensors):
        for name, value in tensors.items():
            save(group + name, value)

    patches = torch.randn(CELLS, TOKENS, GENES_OF_PATCH, generator=generator).float().double()
    save("patches", patches)

    # Stage 1: gradients of one step on two given views.
    s, running = sequence_parameters(generator)
    for name, value in {**s, **running}.items():
        save("sequence/" + name, value)
    views = [torch.randn(CELLS, TOKENS * GENES_OF_PATCH, generator=generator).float().double() for _ in range(2)]
    save("stage1/view1", views[0])
    save("stage1/view2", views[1])
    for kind, loss_of in (("ntxent", ntxent), ("eq1", eq1)):
        moving = {name: value.clone() for name, value in running.items()}
        loss = loss_of(*(sequence_encoder(s, moving, v, True) for v in views), TEMPERATURE)
        save(f"stage1/{kind}/loss", loss)
        for (name, _), gradient in zip(s.items(), torch.autograd.grad(loss, list(s.values()))):
            save(f"stage1/{kind}/gradients/{name}", gradient)
        for name, value in moving.items():
            save(f"stage1/{kind}/{name}", value)

    # Targets: each patch alone, all other genes zero; standardised over the cells.
    alone = torch.zeros(CELLS, TOKENS, TOKENS, GENES_OF_PATCH)
    for token in range(TOKENS):
        alone[:, token, token] = patches[:, token]
    with torch.no_grad():
        answers = sequence_encoder(s, running, alone.view(CELLS * TOKENS, -1), False).view(CELLS, TOKENS, FEATURES)
        targets = (answers - answers.mean(0)) / (answers.std(0) + 1e-4)
        whole = F.normalize(sequence_encoder(s, running, patches.flatten(1), False), dim=1)
        teacher = (whole - whole.mean(0)) / (whole.std() + 1e-12)
    save("targets", targets)
    save("teacher", teacher)

    # Stage 2: masks, loss and gradients of the first step, ten losses.
    p = parameters(generator, DECODER)
    save_all("weights/", p)
    visible = round(TOKENS * (1 - MASK))
    masks = [[mask_of(cell, epoch, visible) for cell in range(CELLS)] for epoch in range(STEPS)]
    save("visible", [[m[0] for m in epoch] for epoch in masks])
    save("masked", [[m[1] for m in epoch] for epoch in masks])
    save("attention", encode(p, patches)[1])
    save("embedding", encode(p, patches)[0][:, 1:].mean(1))
    gradients, losses = train(p, forward, "mean", patches, masks, targets, teacher)
    save_all("gradients/", gradients)
    save("losses", losses)

    # The same with --decoder cross and the global token as guide; two blocks, to see that they look at one memory.
    p = parameters(generator, CROSS_DECODER)
    save_all("cross/weights/", p)
    gradients, losses = train(p, forward_cross, "global", patches, masks, targets, teacher)
    save_all("cross/gradients/", gradients)
    save("cross/losses", losses)


if __name__ == "__main__":
    main()
