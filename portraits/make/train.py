"""Remake the Portraits weights: ``python -m supsae.portraits.make.train all``; resumable, on a CPU or CUDA."""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from .. import scene, text
from ..mmdit import MMDiT
from ..text import CHUNK, load_encoders
from ..vae import AutoEncoder
from . import encoders
from .corpus import (
    caption_texts,
    latents,
    load_weights,
    pair_latents,
    pair_texts,
    pictures,
    pixels_of,
    said,
    write_weights,
)
from .handover import handed_over
from .judges import train_artifacts, train_reader, train_second
from .optimise import optimise


def write_encoders(work: Path, steps: int, device: torch.device) -> None:
    """Write both encoders, as their stages left them, to ``text_encoders.safetensors``."""
    made = text.TextEncoders(encoders.tokenizer())
    encoders.load_trained(made, work)
    write_weights("text_encoders", made.state_dict(), {"vocabulary": json.dumps(made.tokenizer.words), "version": "2"})


def train_vae(
    work: Path, steps: int, device: torch.device, *, count: int = 6000, crop: int = 64, batch: int = 8
) -> None:
    """Train the auto-encoder on crops and write ``vae/supsae_portraits_vae.safetensors``."""
    store, _ = pictures(work, count)

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        assert isinstance(module, AutoEncoder)
        places = rng.integers(0, scene.SIZE - crop + 1, (batch, 2))
        chosen = zip(rng.integers(0, count, batch), places, strict=True)
        rows = [store[i][y : y + crop, x : x + crop] for i, (y, x) in chosen]
        pixels = pixels_of(np.stack(rows)).to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            latents = module.encode(pixels).float()
            noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(device)
            made = module.decode(latents + 0.05 * noise).float()
        spread = latents.var((0, 2, 3))
        moments = latents.mean((0, 2, 3)).square().mean() + (spread - 1).square().mean()
        return F.mse_loss(made, pixels) + 0.05 * F.l1_loss(made, pixels) + 0.002 * moments

    module = AutoEncoder().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - stubs lag
    trained = optimise(module, loss, name="vae", steps=steps, rate=1e-3, work=work, ema=0.995)
    write_weights("vae/supsae_portraits_vae", trained.state_dict(), {})


def train_decoder(work: Path, steps: int, device: torch.device, *, count: int = 12000, batch: int = 3) -> None:
    """Go on with the decoder alone, on the latents as they are now; rewrites the auto-encoder's file.

    The encoder must not move any more once the transformer trains on its latents. Whole pictures: crops would not teach
    what a picture's border looks like, where the convolutions have nothing to read beyond it.
    """
    codes, _ = latents(work, count, 2, device)
    store, _ = pictures(work, count, 2)
    whole: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        chosen = np.sort(rng.integers(0, count, batch))
        z = torch.from_numpy(codes[chosen]).float().to(device)
        noise = torch.from_numpy(rng.standard_normal(z.shape, np.float32)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = module((z + 0.03 * noise).contiguous(memory_format=torch.channels_last)).float()
        wanted = pixels_of(store[chosen]).to(device)
        return F.mse_loss(made, wanted) + 0.05 * F.l1_loss(made, wanted)

    decoder = whole.taesd_decoder.requires_grad_(True).train()
    trained = optimise(decoder, loss, name="decoder", steps=steps, rate=5e-4, work=work, ema=0.995)
    whole.taesd_decoder.load_state_dict(trained.state_dict())
    write_weights("vae/supsae_portraits_vae", whole.state_dict(), {})


TRANSFORMER = "diffusion_models/supsae_portraits_mmdit"
FACE = (slice(6, 13), slice(4, 12))
"""Rows and columns of the latent in which eyes and mouth lie: a fifth of it, and half of what prompts speak of."""
IRIS = (slice(8, 10), slice(5, 11))
"""Those of the eyes' colour, which is small and, where it is green, near the mean of all colours."""
FACE_COUNTS, IRIS_COUNTS = 4.0, 12.0
"""How often the error there counts."""
DROPPED = 0.1
"""Share of the captions without either encoder's rows, and as many that are empty."""
PAIRED = 0.6
"""Share of the steps that see two people, in the stage that does."""


class _Taught(NamedTuple):
    """What the transformer learns from: pictures of one size, ``each`` captions a picture."""

    codes: np.ndarray
    """(n, 16, h, w) latents"""
    cond: np.ndarray
    """(n · each, L, WIDTH)"""
    pooled: np.ndarray
    each: int
    batch: int
    noise: float = 0.4
    """where noise levels lie, before the sigmoid"""
    bidirectional_dropped: float = DROPPED
    """share of the captions without the bidirectional encoder's rows"""


def _one_person(work: Path, device: torch.device, *, count: int = 12000, each: int = 3) -> _Taught:
    codes, factors = latents(work, count, 2, device)
    cond, pooled = said(work, f"{count}x{each}", caption_texts(factors, each), device)
    return _Taught(np.array(codes), np.array(cond), np.array(pooled), each, 64)


def _two_people(work: Path, device: torch.device, *, count: int = 8000, each: int = 3) -> _Taught:
    """Return pictures of two, seen where who is who is decided: at high noise, before the picture itself tells.

    At the noise levels of one person 10 500 steps had not brought it. The causal encoder's rows say on which side a
    phrase belongs in 99.9 % of the cases, the bidirectional one's in 56 %, so more captions come without these.
    """
    codes, people = pair_latents(work, count, 5, device)
    cond, pooled = said(work, f"pairs-{count}x{each}", pair_texts(people, each), device)
    return _Taught(np.array(codes), np.array(cond), np.array(pooled), each, 32, 1.0, 0.4)


def train_transformer(
    work: Path, steps: int, device: torch.device, *, name: str, rate: float, start: str = "", two: bool = False
) -> None:
    """Train the MMDiT on latents and frozen text rows; rewrites its file.

    Args:
        name: of the stage.
        start: where the weights come from: "" for none, ``handover`` for the earlier denoiser through a map of its
            encoders' rows, or ``written`` for its file.
        two: whether half of the steps see two people side by side.
    """
    module = {"": MMDiT, "handover": lambda: handed_over(work), "written": _written}[start]()
    one = _one_person(work, device)
    taught = (one, _two_people(work, device)) if two else (one, one)
    empty = [x[0].cpu().numpy() for x in load_encoders().encode([""])]

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        now = taught[int(rng.random() < PAIRED)]
        text_of = rng.integers(0, len(now.cond), now.batch)
        clean = torch.from_numpy(now.codes[text_of // now.each]).float().to(device)
        rows, vectors = now.cond[text_of].astype(np.float32), now.pooled[text_of].astype(np.float32)
        dropped = rng.random((3, now.batch)) < [[DROPPED], [now.bidirectional_dropped], [DROPPED]]
        rows[dropped[0], :CHUNK], vectors[dropped[0]] = 0, 0  # the causal encoder is missing
        rows[dropped[1], CHUNK:] = 0  # the bidirectional one is
        rows[dropped[2]], vectors[dropped[2]] = empty
        context, vector = torch.from_numpy(rows).to(device), torch.from_numpy(vectors).to(device)
        weight = _weight(clean.shape[-1] // 16).to(device)
        return (_velocity_error(module, clean, context, vector, now.noise, rng).square() * weight).mean()

    module = optimise(module.to(device), loss, name=name, steps=steps, rate=rate, work=work)
    write_weights(TRANSFORMER, module.state_dict(), {})


def _weight(people: int) -> Tensor:
    """Return how much every place of a latent (16, 16 · people) counts, 1 on average."""
    weight = torch.ones(16, 16)
    weight[FACE], weight[IRIS] = FACE_COUNTS, IRIS_COUNTS
    return (weight / weight.mean()).repeat(1, people)


def _written() -> MMDiT:
    return load_weights(TRANSFORMER, MMDiT(), torch.device("cpu")).requires_grad_(True).train()


def _velocity_error(
    module: nn.Module, clean: Tensor, context: Tensor, vector: Tensor, centre: float, rng: np.random.Generator
) -> Tensor:
    """Return (B, C, h, w), predicted less true velocity (noise − latent) of latents at noise levels drawn at random."""
    device = clean.device
    sigma = torch.sigmoid(torch.from_numpy(rng.normal(centre, 1.0, len(clean)).astype(np.float32))).to(device)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
    level = rearrange(sigma, "b -> b 1 1 1")
    with torch.autocast(device.type, torch.bfloat16):
        made = module(clean + level * (noise - clean), sigma, context, vector)
    return made.float() - (noise - clean)


STAGES: dict[str, tuple[Callable[..., None], int]] = {
    "contrast": (encoders.train_contrast, 5800),
    "masked": (encoders.train_masked, 10200),
    "encoders": (write_encoders, 0),
    "vae": (train_vae, 2000),
    "decoder": (train_decoder, 1200),
    "reader": (train_reader, 2000),
    "second": (train_second, 3000),
    "artifacts": (train_artifacts, 3000),
    "model": (partial(train_transformer, name="model", rate=6e-4), 12000),
    "handover": (partial(train_transformer, name="handover", rate=2e-4, start="handover"), 3000),
    "longer": (partial(train_transformer, name="longer", rate=4e-4, start="written"), 4500),
    "two": (partial(train_transformer, name="two", rate=1e-3, start="written", two=True), 5000),
}
"""Stage → (function, default steps), in the order they need each other; a step of a closed form is a picture."""


def main() -> None:
    """Parse the command line and run one stage or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "stage", choices=[*STAGES, "all"], help="what to train; later stages need the earlier ones' files"
    )
    parser.add_argument("--steps", type=int, help="instead of the stage's default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--work", type=Path, default=Path.home() / ".cache" / "supsae" / "portraits", help="checkpoints"
    )
    args = parser.parse_args()
    every = [name for name in STAGES if name != "handover"]  # which takes up where another version was
    for name in every if args.stage == "all" else [args.stage]:
        stage, steps = STAGES[name]
        torch.manual_seed(0)
        stage(args.work, args.steps or steps, torch.device(args.device))


if __name__ == "__main__":
    main()
