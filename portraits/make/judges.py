"""Make what judges pictures, the two readers and the artifact score, from renders alone."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm, trange

from .. import artifacts, captions, second_reader
from ..reader import Reader
from .corpus import decoded, pictures, pixels_of, write_weights
from .optimise import optimise


def train_reader(work: Path, steps: int, device: torch.device, *, count: int = 6000, batch: int = 64) -> None:
    """Train the reader on renders, half of them passed through the auto-encoder, and write ``reader.safetensors``."""
    shown, factors = decoded(work, count, 1, device)
    drawn, _ = pictures(work, count, 1)
    labels = torch.stack([_one_hot(one) for one in factors])

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        chosen = rng.integers(0, count, batch)
        pixels, wanted = _disturb(_mixed(shown, drawn, chosen, rng), rng), labels[chosen]
        blend = batch // 8  # half-and-half pictures: teach it to be unsure
        pixels[:blend] = (pixels[:blend] + pixels[blend : 2 * blend]) / 2
        wanted[:blend] = (wanted[:blend] + wanted[blend : 2 * blend]) / 2
        return -(module(pixels.to(device)) * wanted.to(device)).sum(1).mean()

    module = optimise(Reader().to(device), loss, name="reader", steps=steps, rate=2e-3, work=work, ema=0.99)
    write_weights("reader", module.state_dict(), {})


def train_second(work: Path, count: int, device: torch.device, *, batch: int = 16) -> None:
    """Solve for the second reader on ``count`` pictures and write ``second_reader.safetensors``.

    Each picture counts three times: as the decoder shows it, disturbed, and half-and-half with another.
    """
    shown, factors = decoded(work, count, 1, device)
    drawn, _ = pictures(work, count, 1)
    labels = torch.stack([_one_hot(one) for one in factors])
    features, targets = [], []
    for start in trange(0, count, batch, desc="second", mininterval=5):
        rng = np.random.default_rng(start)
        chosen = np.arange(start, min(start + batch, count))
        others = rng.integers(0, count, len(chosen))
        plain, other = pixels_of(shown[chosen]), pixels_of(shown[others])
        some = torch.cat([plain, _disturb(_mixed(shown, drawn, chosen, rng), rng), (plain + other) / 2])
        features.append(second_reader.histograms(some))
        targets += [labels[chosen], labels[chosen], (labels[chosen] + labels[others]) / 2]
    write_weights(
        "second_reader", second_reader.fit_second_reader(torch.cat(features), torch.cat(targets))._asdict(), {}
    )


def train_artifacts(work: Path, count: int, device: torch.device, *, batch: int = 16) -> None:
    """Learn what renders look like from ``count`` of them and write ``artifacts.safetensors``."""
    shown, _ = decoded(work, count, 1, device)
    parts = [shown[start : start + batch] for start in range(0, count, batch)]
    found, moments = [], torch.zeros(27, 27)
    for rows in tqdm(parts, desc="artifacts", mininterval=5):
        pixels = pixels_of(rows)
        found.append(artifacts.faces(pixels))
        patches = F.unfold(pixels - 0.5, artifacts.PATCH)
        moments += (patches @ patches.mT).sum(0) / (count * patches.shape[2])
    learnt = artifacts.fit_artifacts(torch.cat(found), moments)
    scores = torch.cat([learnt.parts(pixels_of(rows)) for rows in tqdm(parts, desc="limits", mininterval=5)])
    learnt = learnt._replace(limits=torch.quantile(scores, artifacts.SHARE, dim=0))
    write_weights("artifacts", learnt._asdict(), {})


def _mixed(shown: np.ndarray, drawn: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Take six of ten pictures as the decoder shows them and the others as they were drawn."""
    rows = [shown[i] if vae else drawn[i] for i, vae in zip(chosen, rng.random(len(chosen)) < 0.6, strict=True)]
    return pixels_of(np.stack(rows))


def _one_hot(factors: dict[str, str]) -> Tensor:
    row = torch.zeros(len(captions.table()))
    row[[captions.table().index(f"{category}: {value}") for category, value in factors.items()]] = 1
    return row


def _disturb(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur, shift and add noise, each to a random degree, as a decoder or a saved file might."""
    if rng.random() < 0.5:
        small = F.interpolate(pixels, scale_factor=float(rng.uniform(0.5, 1)), mode="bilinear", antialias=True)
        pixels = F.interpolate(small, size=pixels.shape[-2:], mode="bilinear")
    pixels = torch.roll(pixels, tuple(rng.integers(-3, 4, 2).tolist()), (2, 3))
    noise = torch.from_numpy(rng.standard_normal(pixels.shape, np.float32))
    light = torch.from_numpy(rng.uniform(0.92, 1.08, (len(pixels), 3, 1, 1)).astype(np.float32))
    return (pixels * light + float(rng.uniform(0, 0.06)) * noise).clamp(0, 1)
