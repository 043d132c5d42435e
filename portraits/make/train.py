"""Remake the Portraits weights: ``python -m supsae.portraits.make.train all``; resumable, on a CPU or CUDA."""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from .. import captions, scene, text
from ..mmdit import MMDiT
from ..text import load_encoders
from ..vae import AutoEncoder
from .corpus import caption_texts, latents, load_weights, pictures, pixels_of, said, write_weights
from .judges import train_artifacts, train_reader, train_second
from .optimise import optimise


class _TaughtEncoders(nn.Module):
    """The encoders with the heads that teach them: next or masked word, and the factors said (so far)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = text.TextEncoders(text.Tokenizer(tuple(captions.vocabulary())))
        tokens = len(self.encoders.tokenizer)
        factors = len(captions.table()) + len(captions.table().categories)  # and one "unmentioned" per category
        self.next, self.said = nn.Linear(text.CAUSAL_WIDTH, tokens), nn.Linear(text.CAUSAL_WIDTH, factors)
        self.masked, self.all = nn.Linear(text.WIDTH, tokens), nn.Linear(text.WIDTH, factors)


def _reading_loss(module: nn.Module, rng: np.random.Generator, *, batch: int = 64) -> Tensor:
    assert isinstance(module, _TaughtEncoders)
    tokenizer = module.encoders.tokenizer
    rows, said = zip(*(_labelled_caption(tokenizer, rng) for _ in range(batch)), strict=True)
    causal = torch.tensor([text.causal_chunks(ids)[0] for ids in rows])
    hidden = module.encoders.causal(causal)
    told = torch.tensor(np.stack(said))  # (B, CHUNK, categories): value said so far at each causal row
    following = rearrange(module.next(hidden[:, :-1]), "b row token -> (b row) token")
    loss = F.cross_entropy(following, rearrange(causal[:, 1:], "b row -> (b row)"))
    loss = loss + _factor_loss(module.said(hidden), told)
    both = torch.tensor([text.bidirectional_row(ids) for ids in rows])
    hide = torch.tensor(rng.random(both.shape) < 0.15) & (both >= len(text.SPECIAL))
    hidden = module.encoders.bidirectional(both.masked_fill(hide, text.MASK))
    loss = loss + F.cross_entropy(module.masked(hidden[hide]), both[hide])
    return loss + _factor_loss(module.all(hidden), repeat(told[:, -1], "b category -> b row category", row=text.CHUNK))


def _labelled_caption(tokenizer: text.Tokenizer, rng: np.random.Generator) -> tuple[list[int], np.ndarray]:
    """A caption's ids and, for every causal row, which value of each category has been said (else the last index)."""
    table = captions.full_table()
    sizes = [len(members) for members in table.categories.values()]
    prompt = captions.caption(scene.sample_factors(rng), rng)
    said = np.tile(np.array(sizes), (text.CHUNK, 1))
    words = list(prompt.words)
    if rng.random() < 0.1:  # a word nobody knows, so that spelled words are taught too
        words.append("".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), int(rng.integers(3, 7)))))
    counts = [len(tokenizer.ids(word)) for word in prompt.words]
    for mention in prompt.mentions:
        concept = table.phrases[mention.phrase].concept
        members = table.categories[table.concepts[concept].category]
        last = sum(counts[: mention.stop - 1]) + 1  # row of the phrase's last word, behind the start row
        said[last:, table.category_of[concept]] = members.index(concept)
    ids = tokenizer.ids(" ".join(words))[: text.CHUNK - 2]
    return ids, said


def _factor_loss(logits: Tensor, told: Tensor) -> Tensor:
    sizes = [len(members) + 1 for members in captions.table().categories.values()]
    total = torch.zeros(())
    for part, values in zip(logits.split(sizes, -1), told.unbind(-1), strict=True):
        flat = rearrange(part, "b row value -> (b row) value")
        total = total + F.cross_entropy(flat, rearrange(values, "b row -> (b row)"))
    return total / len(sizes)


def train_text(work: Path, steps: int, device: torch.device) -> None:
    """Train the two text encoders on text alone and write ``text_encoders.safetensors``."""
    module = optimise(_TaughtEncoders(), _reading_loss, name="text", steps=steps, rate=1e-3, work=work, ema=0.995)
    assert isinstance(module, _TaughtEncoders)
    words = json.dumps(list(module.encoders.tokenizer.words))
    write_weights("text_encoders", module.encoders.state_dict(), {"vocabulary": words})


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


def train_decoder(work: Path, steps: int, device: torch.device, *, count: int = 6000, batch: int = 8) -> None:
    """Go on with the decoder alone, on the latents as they are now; rewrites the auto-encoder's file.

    The encoder must not move any more once the transformer trains on its latents. Crops are 80 px, judged on their
    inner 64, so that what a crop's border lacks does not teach the decoder.
    """
    codes, _ = latents(work, count, 1, device)
    store, _ = pictures(work, count, 1)
    whole: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        places = rng.integers(0, scene.SIZE // 8 - 10 + 1, (batch, 2))
        chosen = [(i, y, x) for i, (y, x) in zip(rng.integers(0, count, batch), places, strict=True)]
        z = torch.from_numpy(np.stack([codes[i][:, y : y + 10, x : x + 10] for i, y, x in chosen])).float().to(device)
        inner = [store[i][8 * y + 8 : 8 * y + 72, 8 * x + 8 : 8 * x + 72] for i, y, x in chosen]
        noise = torch.from_numpy(rng.standard_normal(z.shape, np.float32)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = module((z + 0.03 * noise).contiguous(memory_format=torch.channels_last)).float()[..., 8:72, 8:72]
        wanted = pixels_of(np.stack(inner)).to(device)
        return F.mse_loss(made, wanted) + 0.05 * F.l1_loss(made, wanted)

    decoder = whole.taesd_decoder.requires_grad_(True).train()
    trained = optimise(decoder, loss, name="decoder", steps=steps, rate=5e-4, work=work, ema=0.995)
    whole.taesd_decoder.load_state_dict(trained.state_dict())
    write_weights("vae/supsae_portraits_vae", whole.state_dict(), {})


TRANSFORMER = "diffusion_models/supsae_portraits_mmdit"
FACE = (slice(6, 13), slice(4, 12))
"""Rows and columns of the latent in which eyes and mouth lie: a fifth of it, and half of what prompts speak of."""


LAGGING = "green eyes"
"""The phrase drawn wrong most often after polishing: in 7 of 29 pictures, blue and brown eyes in none of 67."""


def train_transformer(
    work: Path,
    steps: int,
    device: torch.device,
    *,
    name: str,
    rate: float,
    face: float,
    often: str = "",
    ema: float = 0.999,
) -> None:
    """Train the MMDiT on latents and frozen text rows, or go on with the trained one; rewrites its file.

    Args:
        name: of the stage; ``model`` is the first.
        face: how often the error of the face counts.
        often: a phrase that the captions of a third of every batch hold.
        ema: of the weights' moving average.
    """
    start, count, each, batch = MMDiT(), 12000, 3, 64
    if name != "model":
        start = load_weights(TRANSFORMER, start, device).requires_grad_(True).train()
    stored, factors = latents(work, count, 2, device)
    codes = np.array(stored)
    cond, pooled = (np.array(x) for x in said(work, factors, each, device))
    empty = [x[0].cpu().numpy() for x in load_encoders().encode([""])]
    texts = caption_texts(factors, each) if often else []
    holding = np.array([index for index, one in enumerate(texts) if often in one])
    weight = torch.ones(16, 16, device=device)
    weight[FACE] = face
    weight /= weight.mean()

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        text_of = rng.integers(0, count, batch) * each + rng.integers(0, each, batch)
        if often:
            text_of[: batch // 3] = rng.choice(holding, batch // 3)
        without = rng.random(batch) < 0.1
        clean = torch.from_numpy(codes[text_of // each]).float().to(device)
        rows, vectors = cond[text_of].astype(np.float32), pooled[text_of].astype(np.float32)
        rows[without], vectors[without] = empty
        context, vector = torch.from_numpy(rows).to(device), torch.from_numpy(vectors).to(device)
        return (_velocity_error(module, clean, context, vector, rng).square() * weight).mean()

    module = optimise(start.to(device), loss, name=name, steps=steps, rate=rate, work=work, ema=ema)
    write_weights(TRANSFORMER, module.state_dict(), {})


def _velocity_error(
    module: nn.Module, clean: Tensor, context: Tensor, vector: Tensor, rng: np.random.Generator
) -> Tensor:
    """Return (B, C, h, w), predicted less true velocity (noise − latent) of latents at noise levels drawn at random."""
    device = clean.device
    sigma = torch.sigmoid(torch.from_numpy(rng.normal(0.4, 1.0, len(clean)).astype(np.float32))).to(device)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
    level = rearrange(sigma, "b -> b 1 1 1")
    with torch.autocast(device.type, torch.bfloat16):
        made = module(clean + level * (noise - clean), sigma, context, vector)
    return made.float() - (noise - clean)


STAGES: dict[str, tuple[Callable[..., None], int]] = {
    "text": (train_text, 1500),
    "vae": (train_vae, 2000),
    "decoder": (train_decoder, 1200),
    "reader": (train_reader, 2000),
    "second": (train_second, 3000),
    "artifacts": (train_artifacts, 3000),
    "model": (partial(train_transformer, name="model", rate=6e-4, face=1.0), 5500),
    "polish": (partial(train_transformer, name="polish", rate=4e-4, face=4.0), 1500),
    "lagging": (partial(train_transformer, name="lagging", rate=3e-4, face=4.0, often=LAGGING, ema=0.99), 600),
    "longer": (partial(train_transformer, name="longer", rate=5e-4, face=4.0), 5000),
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
    for name in STAGES if args.stage == "all" else [args.stage]:
        stage, steps = STAGES[name]
        torch.manual_seed(0)
        stage(args.work, args.steps or steps, torch.device(args.device))


if __name__ == "__main__":
    main()
