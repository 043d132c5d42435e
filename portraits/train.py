"""Remake the Portraits weights: ``python -m supsae.portraits.train all``; resumable, on a CPU or CUDA."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from . import captions, scene, text
from .mmdit import MMDiT
from .reader import Reader
from .text import load_encoders
from .vae import AutoEncoder

WEIGHTS = Path(__file__).with_name("weights")
Loss = Callable[[nn.Module, np.random.Generator], Tensor]


def optimise(
    module: nn.Module,
    loss: Loss,
    *,
    name: str,
    steps: int,
    rate: float,
    work: Path,
    every: int = 250,
    ema: float = 0.999,
) -> nn.Module:
    """Minimise ``loss`` by AdamW with warm-up and cosine decay; return the exponential moving average of the module.

    Continues from ``work/name.safetensors`` if that is there. Every step draws from its own seed, so an interrupted run
    and an uninterrupted one see the same data.
    """
    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], rate, (0.9, 0.99), weight_decay=0.01
    )
    warm = min(300, steps // 10 + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: min(1.0, (i + 1) / warm) * 0.5 * (1.02 + 0.98 * np.cos(np.pi * min(i, steps) / steps))
    )
    average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(ema), use_buffers=True)
    file = work / f"{name}.safetensors"
    start = _resume(file, module, average, optimiser, schedule)
    bar = trange(start, steps, desc=name, initial=start, total=steps, mininterval=5)
    shown = 0.0
    for step in bar:
        value = loss(module, np.random.default_rng((step, len(name))))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(module)
        shown = value.item() if step == start else 0.98 * shown + 0.02 * value.item()
        bar.set_postfix(loss=f"{shown:.4f}", refresh=False)
        if (step + 1) % every == 0 or step + 1 == steps:
            _checkpoint(file, step + 1, module, average, optimiser)
            (work / f"{name}.log").open("a").write(json.dumps({"step": step + 1, "loss": round(shown, 5)}) + "\n")
    return average.module


def _checkpoint(
    file: Path, step: int, module: nn.Module, average: AveragedModel, optimiser: torch.optim.Optimizer
) -> None:
    tensors = {f"now.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in average.module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"opt.{index}.{k}": v for k, v in state.items()}
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    save_file(tensors, file.with_suffix(".part"), metadata={"step": str(step)})
    file.with_suffix(".part").replace(file)


def _resume(file: Path, module: nn.Module, average: AveragedModel, optimiser: Any, schedule: Any) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        return 0
    tensors = load_file(file)
    module.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("now.")})
    average.module.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("ema.")})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("opt."):
            _, index, field = key.split(".")
            state.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    step = int(next(iter(state.values()))["step"].item())
    for _ in range(step):
        schedule.step()
    average.n_averaged.fill_(step)
    return step


# --- text encoders -------------------------------------------------------------------------------------------------


class _Reading(nn.Module):
    """The encoders with the heads that teach them: next or masked word, and the factors said (so far)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = text.TextEncoders(text.Tokenizer(tuple(captions.vocabulary())))
        tokens = len(self.encoders.tokenizer)
        factors = len(captions.table()) + len(captions.table().categories)  # and one "unmentioned" per category
        self.next, self.said = nn.Linear(text.CAUSAL_WIDTH, tokens), nn.Linear(text.CAUSAL_WIDTH, factors)
        self.masked, self.all = nn.Linear(text.WIDTH, tokens), nn.Linear(text.WIDTH, factors)


def _reading_loss(module: nn.Module, rng: np.random.Generator, *, batch: int = 64) -> Tensor:
    assert isinstance(module, _Reading)
    tokenizer = module.encoders.tokenizer
    rows, said = zip(*(_labelled_caption(tokenizer, rng) for _ in range(batch)), strict=True)
    causal = torch.tensor([text.causal_chunks(ids)[0] for ids in rows])
    hidden = module.encoders.causal(causal)
    told = torch.tensor(np.stack(said))  # (B, CHUNK, categories): value said so far at each causal row
    loss = F.cross_entropy(module.next(hidden[:, :-1]).flatten(0, 1), causal[:, 1:].flatten())
    loss = loss + _factor_loss(module.said(hidden), told)
    both = torch.tensor([text.bidirectional_row(ids) for ids in rows])
    hide = torch.tensor(rng.random(both.shape) < 0.15) & (both >= len(text.SPECIAL))
    hidden = module.encoders.bidirectional(both.masked_fill(hide, text.MASK))
    loss = loss + F.cross_entropy(module.masked(hidden[hide]), both[hide])
    return loss + _factor_loss(module.all(hidden), told[:, -1:].expand(-1, text.CHUNK, -1))


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
    parts = logits.split(sizes, -1)
    return sum(
        (F.cross_entropy(part.flatten(0, -2), told[..., i].flatten()) for i, part in enumerate(parts)), torch.zeros(())
    ) / len(sizes)


def train_text(work: Path, steps: int, device: torch.device) -> None:
    """Train the two text encoders on text alone and write ``text_encoders.safetensors``."""
    module = optimise(_Reading(), _reading_loss, name="text", steps=steps, rate=1e-3, work=work, ema=0.995)
    assert isinstance(module, _Reading)
    words = json.dumps(list(module.encoders.tokenizer.words))
    _write("text_encoders", module.encoders, {"vocabulary": words})


# --- pictures ------------------------------------------------------------------------------------------------------


def pictures(work: Path, count: int, seed: int = 0) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Draw ``count`` pictures once; return them (count, 128, 128, 3) as bytes on disk, and their factors."""
    rng = np.random.default_rng(seed)
    drawn = [(scene.sample_factors(rng), scene.Nuisance.sample(rng)) for _ in range(count)]
    file = work / f"pictures-{seed}-{count}.npy"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        shape = (count, scene.SIZE, scene.SIZE, 3)
        store = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        for index in trange(count, desc="pictures", mininterval=5):
            store[index] = np.asarray(scene.draw(*drawn[index]))
        store.flush()
        part.replace(file)
    return np.load(file, mmap_mode="r"), [factors for factors, _ in drawn]


def train_vae(
    work: Path, steps: int, device: torch.device, *, count: int = 6000, crop: int = 64, batch: int = 8
) -> None:
    """Train the auto-encoder on crops and write ``vae/supsae_portraits_vae.safetensors``."""
    store, _ = pictures(work, count)

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        assert isinstance(module, AutoEncoder)
        places = rng.integers(0, scene.SIZE - crop + 1, (batch, 2))
        rows = [
            store[i][y : y + crop, x : x + crop]
            for i, (y, x) in zip(rng.integers(0, count, batch), places, strict=True)
        ]
        pixels = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float().to(device) / 255
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            latents = module.encode(pixels).float()
            noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(device)
            made = module.decode(latents + 0.05 * noise).float()
        spread = latents.var((0, 2, 3))
        moments = latents.mean((0, 2, 3)).square().mean() + (spread - 1).square().mean()
        return F.mse_loss(made, pixels) + 0.05 * F.l1_loss(made, pixels) + 0.002 * moments

    module = AutoEncoder().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - stubs lag
    trained = optimise(module, loss, name="vae", steps=steps, rate=1e-3, work=work, ema=0.995)
    _write("vae/supsae_portraits_vae", trained, {})


def _load(name: str, module: nn.Module, device: torch.device) -> Any:
    module.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS / f"{name}.safetensors").items()})
    return module.to(device).eval().requires_grad_(False)


def _in_parts(function: Callable[[Tensor], Tensor], rows: np.ndarray, device: torch.device, label: str) -> np.ndarray:
    """Map (n, …) arrays through a network in batches under bf16 autocast; returns float16."""
    made = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for start in trange(0, len(rows), 32, desc=label, mininterval=5):
            made.append(function(torch.from_numpy(rows[start : start + 32]).to(device)).half().cpu().numpy())
    return np.concatenate(made)


def _cached(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    if not file.exists():
        np.save(file.with_suffix(".part.npy"), make())
        file.with_suffix(".part.npy").replace(file)
    return np.load(file, mmap_mode="r")


def _pixels(rows: np.ndarray | Tensor) -> Tensor:
    return torch.tensor(rows).permute(0, 3, 1, 2).float() / 255


def latents(work: Path, count: int, seed: int, device: torch.device) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Return (count, 16, 16, 16) float16 latents of drawn pictures, encoded once, and their factors."""
    store, factors = pictures(work, count, seed)
    encoder: AutoEncoder = _load("vae/supsae_portraits_vae", AutoEncoder(), device)
    make = lambda: _in_parts(lambda rows: encoder.encode(_pixels(rows)), store, device, "latents")  # noqa: E731
    return _cached(work / f"latents-{seed}-{count}.npy", make), factors


def train_reader(work: Path, steps: int, device: torch.device, *, count: int = 6000, batch: int = 64) -> None:
    """Train the reader on renders, half of them passed through the auto-encoder, and write ``reader.safetensors``."""
    codes, factors = latents(work, count, 1, device)
    drawn, _ = pictures(work, count, 1)
    decoder: AutoEncoder = _load("vae/supsae_portraits_vae", AutoEncoder(), device)
    make = lambda: _in_parts(lambda rows: decoder.decode(rows.float()).clamp(0, 1) * 255, codes, device, "decoded")  # noqa: E731
    decoded = _cached(work / f"decoded-1-{count}.npy", lambda: make().round().astype(np.uint8).transpose(0, 2, 3, 1))
    labels = torch.stack([_one_hot(one) for one in factors])

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        chosen = rng.integers(0, count, batch)
        from_vae = rng.random(batch) < 0.6
        rows = np.stack([decoded[i] if vae else drawn[i] for i, vae in zip(chosen, from_vae, strict=True)])
        pixels, wanted = _disturb(_pixels(rows), rng), labels[chosen]
        blend = batch // 8  # half-and-half pictures: teach it to be unsure
        pixels[:blend] = (pixels[:blend] + pixels[blend : 2 * blend]) / 2
        wanted[:blend] = (wanted[:blend] + wanted[blend : 2 * blend]) / 2
        return -(module(pixels.to(device)) * wanted.to(device)).sum(1).mean()

    module = optimise(Reader().to(device), loss, name="reader", steps=steps, rate=2e-3, work=work, ema=0.99)
    _write("reader", module, {})


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


def train_decoder(work: Path, steps: int, device: torch.device, *, count: int = 6000, batch: int = 8) -> None:
    """Go on with the decoder alone, on the latents as they are now; rewrites the auto-encoder's file.

    The encoder must not move any more once the transformer trains on its latents. Crops are 80 px, judged on their
    inner 64, so that what a crop's border lacks does not teach the decoder.
    """
    codes, _ = latents(work, count, 1, device)
    store, _ = pictures(work, count, 1)
    whole: AutoEncoder = _load("vae/supsae_portraits_vae", AutoEncoder(), device)

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        places = rng.integers(0, scene.SIZE // 8 - 10 + 1, (batch, 2))
        chosen = [(i, y, x) for i, (y, x) in zip(rng.integers(0, count, batch), places, strict=True)]
        z = torch.from_numpy(np.stack([codes[i][:, y : y + 10, x : x + 10] for i, y, x in chosen])).float().to(device)
        inner = [store[i][8 * y + 8 : 8 * y + 72, 8 * x + 8 : 8 * x + 72] for i, y, x in chosen]
        noise = torch.from_numpy(rng.standard_normal(z.shape, np.float32)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = module((z + 0.03 * noise).contiguous(memory_format=torch.channels_last)).float()[..., 8:72, 8:72]
        wanted = _pixels(np.stack(inner)).to(device)
        return F.mse_loss(made, wanted) + 0.05 * F.l1_loss(made, wanted)

    decoder = whole.taesd_decoder.requires_grad_(True).train()
    trained = optimise(decoder, loss, name="decoder", steps=steps, rate=5e-4, work=work, ema=0.995)
    whole.taesd_decoder.load_state_dict(trained.state_dict())
    _write("vae/supsae_portraits_vae", whole, {})


def said(work: Path, factors: list[dict[str, str]], each: int, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Return the frozen encoders' rows (n · each, L, WIDTH) and pooled vectors of ``each`` captions a picture, float16.

    The captions of picture i are rows i · each onwards.
    """
    encoders = load_encoders().to(device)
    rng = np.random.default_rng(3)
    texts = [captions.caption(one, rng).text for one in factors for _ in range(each)]

    def encode(part: int) -> np.ndarray:
        made = []
        with torch.no_grad():
            for start in trange(0, len(texts), 64, desc="captions", mininterval=5):
                made.append(encoders.encode(texts[start : start + 64])[part].half().cpu().numpy())
        return np.concatenate(made)

    size = f"{len(factors)}x{each}"
    return _cached(work / f"cond-{size}.npy", lambda: encode(0)), _cached(
        work / f"pooled-{size}.npy", lambda: encode(1)
    )


def train_model(
    work: Path, steps: int, device: torch.device, *, count: int = 12000, each: int = 3, batch: int = 64
) -> None:
    """Train the MMDiT on latents and frozen text rows; write ``diffusion_models/supsae_portraits_mmdit``."""
    stored, factors = latents(work, count, 2, device)
    codes = np.array(stored)
    cond, pooled = (np.array(x) for x in said(work, factors, each, device))
    empty = [x[0].cpu().numpy() for x in load_encoders().encode([""])]

    def loss(module: nn.Module, rng: np.random.Generator) -> Tensor:
        chosen = rng.integers(0, count, batch)
        clean = torch.from_numpy(codes[chosen]).float().to(device)
        text_of, without = chosen * each + rng.integers(0, each, batch), rng.random(batch) < 0.1
        rows, vectors = cond[text_of].astype(np.float32), pooled[text_of].astype(np.float32)
        rows[without], vectors[without] = empty
        sigma = torch.sigmoid(torch.from_numpy(rng.normal(0.4, 1.0, batch).astype(np.float32))).to(device)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
        level = sigma[:, None, None, None]
        context, vector = torch.from_numpy(rows).to(device), torch.from_numpy(vectors).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = module(clean + level * (noise - clean), sigma, context, vector)
        return F.mse_loss(made.float(), noise - clean)

    module = optimise(MMDiT().to(device), loss, name="model", steps=steps, rate=6e-4, work=work)
    _write("diffusion_models/supsae_portraits_mmdit", module, {})


# --- files ---------------------------------------------------------------------------------------------------------


def _write(name: str, module: nn.Module, metadata: dict[str, str]) -> None:
    file = WEIGHTS / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    halved = {k: v if v.ndim == 0 else v.half() for k, v in module.state_dict().items()}  # the scale must stay exact
    save_file(
        {k: v.detach().cpu().clone().contiguous() for k, v in halved.items()},
        file,
        metadata={"format_version": "1", **metadata},
    )
    print(f"wrote {file}")


STAGES: dict[str, tuple[Callable[..., None], int]] = {
    "text": (train_text, 1500),
    "vae": (train_vae, 2000),
    "decoder": (train_decoder, 3000),
    "reader": (train_reader, 2000),
    "model": (train_model, 5500),
}
"""Stage → (function, default steps), in the order they need each other."""


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
