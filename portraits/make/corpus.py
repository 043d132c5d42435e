"""What Portraits is trained on, drawn once and kept on disk: pictures, their latents, their captions' rows."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import trange

from .. import captions, scene
from ..paths import WEIGHTS
from ..text import Tokenizer, load_encoders
from ..vae import AutoEncoder
from . import texts


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
            store[index] = np.asarray(scene.draw_portrait(*drawn[index]))
        store.flush()
        part.replace(file)
    return np.load(file, mmap_mode="r"), [factors for factors, _ in drawn]


def load_weights(name: str, module: nn.Module, device: torch.device) -> Any:
    module.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS / f"{name}.safetensors").items()})
    return module.to(device).eval().requires_grad_(False)


def write_weights(name: str, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Store tensors in half precision as ``weights/name.safetensors``; single numbers stay exact."""
    file = WEIGHTS / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    halved = {k: v if v.ndim == 0 else v.half() for k, v in tensors.items()}
    save_file(
        {k: v.detach().cpu().clone().contiguous() for k, v in halved.items()},
        file,
        metadata={"format_version": "1", **metadata},
    )
    print(f"wrote {file}")


def in_parts(function: Callable[[Tensor], Tensor], rows: np.ndarray, device: torch.device, label: str) -> np.ndarray:
    """Map (n, …) arrays through a network in batches under bf16 autocast; returns float16."""
    made = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for start in trange(0, len(rows), 32, desc=label, mininterval=5):
            made.append(function(torch.from_numpy(rows[start : start + 32]).to(device)).half().cpu().numpy())
    return np.concatenate(made)


def cached(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    if not file.exists():
        np.save(file.with_suffix(".part.npy"), make())
        file.with_suffix(".part.npy").replace(file)
    return np.load(file, mmap_mode="r")


def pixels_of(rows: np.ndarray | Tensor) -> Tensor:
    """Return bytes (n, h, w, 3) as pictures (n, 3, h, w) in 0 … 1."""
    return rearrange(torch.tensor(rows), "n h w c -> n c h w").float() / 255


def latents(work: Path, count: int, seed: int, device: torch.device) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Return (count, 16, 16, 16) float16 latents of drawn pictures, encoded once, and their factors."""
    store, factors = pictures(work, count, seed)
    encoder: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def encode(rows: Tensor) -> Tensor:
        return encoder.encode(pixels_of(rows).contiguous(memory_format=torch.channels_last))  # a quarter faster

    make = partial(in_parts, encode, store, device, "latents")
    return cached(work / f"latents-{seed}-{count}.npy", make), factors


def decoded(work: Path, count: int, seed: int, device: torch.device) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Return the pictures of ``latents`` as the decoder shows them, (count, 128, 128, 3) bytes, and their factors."""
    codes, factors = latents(work, count, seed, device)
    decoder: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def make() -> np.ndarray:
        made = in_parts(lambda rows: decoder.decode(rows.float()).clamp(0, 1) * 255, codes, device, "decoded")
        return rearrange(made.round().astype(np.uint8), "n c h w -> n h w c")

    return cached(work / f"decoded-{seed}-{count}.npy", make), factors


def caption_texts(factors: list[dict[str, str]], each: int) -> list[str]:
    """Return ``each`` captions a picture, the same every time; every third is as rich as those of the encoders."""
    rng, tokenizer = np.random.default_rng(3), load_encoders().tokenizer
    plain = [[captions.caption(one, rng).text for _ in range(each - each // 3)] for one in factors]
    rich = [[_fitting(one, tokenizer, rng) for _ in range(each // 3)] for one in factors]
    return [text for some in zip(plain, rich, strict=True) for part in some for text in part]


def _fitting(factors: Mapping[str, str], tokenizer: Tokenizer, rng: np.random.Generator) -> str:
    while len(tokenizer.ids(text := texts.describe((factors,), rng))) > captions.LONGEST:
        pass
    return text


def said(work: Path, factors: list[dict[str, str]], each: int, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Return the frozen encoders' rows (n · each, L, WIDTH) and pooled vectors of ``each`` captions a picture, float16.

    The captions of picture i are rows i · each onwards.
    """
    encoders = load_encoders().to(device)
    texts = caption_texts(factors, each)

    def encode(part: int) -> np.ndarray:
        made = []
        with torch.no_grad():
            for start in trange(0, len(texts), 64, desc="captions", mininterval=5):
                made.append(encoders.encode(texts[start : start + 64])[part].half().cpu().numpy())
        return np.concatenate(made)

    size = f"{len(factors)}x{each}"
    return cached(work / f"cond-{size}.npy", lambda: encode(0)), cached(work / f"pooled-{size}.npy", lambda: encode(1))
