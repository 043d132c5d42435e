"""Hand a trained denoiser over to other text encoders: the layers that read their rows get a linear map of them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import trange

from ...supsae_core.tensor_files import TensorFile
from .. import captions, scene, text
from ..mmdit import MMDiT

EARLIER = "earlier"
"""Folder beside the checkpoints: ``portraits/weights`` of another version."""
COUNT, BATCH = 2000, 50
"""Captions that both pairs of encoders read."""
RIDGE = 1e-4
"""Of the mean variance of a column."""


def handed_over(work: Path) -> MMDiT:
    """Return the earlier denoiser with its first layers reading this version's rows and pooled vectors."""
    now, earlier = text.load_encoders(), text.load_encoders(work / EARLIER / "text_encoders.safetensors")
    texts, rng = [""], np.random.default_rng(11)
    while len(texts) < COUNT:
        said = captions.caption(scene.sample_factors(rng), rng).text
        aligned = len(earlier.tokenizer.ids(said)) == len(now.tokenizer.ids(said))  # row stands against row
        texts += [said] if aligned else []
    read: list[list[Tensor]] = [[], [], [], []]
    with torch.inference_mode():
        for first in trange(0, COUNT, BATCH, desc="handover"):
            some = texts[first : first + BATCH]
            for kept, one in zip(read, (*now.encode(some), *earlier.encode(some)), strict=True):
                kept.append(one.flatten(0, -2))
    rows, pooled, old_rows, old_pooled = (torch.cat(some) for some in read)
    model = MMDiT()
    trained = TensorFile(work / EARLIER / "diffusion_models" / "supsae_portraits_mmdit.safetensors").read()
    model.load_state_dict({key: value.float() for key, value in trained.items()})
    compose(model.context_embedder, rows, old_rows)
    compose(model.y_embedder["mlp"][0], pooled, old_pooled)  # pyright: ignore[reportIndexIssue] - a Sequential
    return model


def compose(layer: nn.Linear, now: Tensor, earlier: Tensor) -> None:
    """Make a layer that reads ``earlier`` rows (n, d) read the rows ``now`` (n, d), by the ridge map between them."""
    x, y = now.double(), earlier.double()
    mean, target = x.mean(0), y.mean(0)
    gram = (x - mean).T @ (x - mean)
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    moved = torch.linalg.solve(gram, (x - mean).T @ (y - target))
    left = (y - target - (x - mean) @ moved).square().sum() / (y - target).square().sum()
    print(f"the map leaves {float(left):.3f} of the variance")
    weight, bias = layer.weight.double(), layer.bias.double()
    with torch.no_grad():
        layer.weight.copy_(weight @ moved.T)
        layer.bias.copy_(bias + weight @ (target - mean @ moved))
