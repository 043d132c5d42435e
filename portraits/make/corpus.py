"""What Portraits is trained on, drawn once and kept on disk: pictures, their latents, their captions' rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from tqdm import trange

from ...supsae_core.files import replacing
from ...supsae_core.tensor_files import TensorFile, write_tensors
from .. import captions, scene
from ..paths import WEIGHTS
from ..text import load_encoders
from ..vae import AutoEncoder
from . import texts

Person = dict[str, str]
"""category → value"""


def pictures(work: Path, count: int, seed: int = 0) -> tuple[np.ndarray, list[Person]]:
    """Draw ``count`` pictures once; return them (count, 128, 128, 3) as bytes on disk, and their factors."""
    rng = np.random.default_rng(seed)
    drawn = [(scene.sample_factors(rng), scene.Nuisance.sample(rng)) for _ in range(count)]
    store = _drawn(work / f"pictures-{seed}-{count}.npy", [([one], [nuisance]) for one, nuisance in drawn])
    return store, [factors for factors, _ in drawn]


def pairs(work: Path, count: int, seed: int) -> tuple[np.ndarray, list[tuple[Person, Person]]]:
    """Draw ``count`` pictures of two people once; return them (count, 128, 256, 3), and the factors of both."""
    rng = np.random.default_rng(seed)
    drawn = [(draw_pair(rng), [scene.Nuisance.sample(rng) for _ in range(2)]) for _ in range(count)]
    return _drawn(work / f"pairs-{seed}-{count}.npy", drawn), [people for people, _ in drawn]


def draw_pair(rng: np.random.Generator) -> tuple[Person, Person]:
    """Draw two people's factors before one background."""
    first, second = scene.sample_factors(rng), scene.sample_factors(rng)
    return first, second | {"background": first["background"]}


def _drawn(file: Path, scenes: Sequence[tuple[Sequence[Person], Sequence[scene.Nuisance]]]) -> np.ndarray:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = (len(scenes), scene.SIZE, scene.SIZE * len(scenes[0][0]), 3)
        with replacing(file) as part:
            store = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
            for index in trange(len(scenes), desc=file.stem, mininterval=5):
                store[index] = np.asarray(scene.draw_people(*scenes[index]))
            store.flush()
    return np.load(file, mmap_mode="r")


def load_weights(name: str, module: nn.Module, device: torch.device) -> Any:
    module.load_state_dict({k: v.float() for k, v in TensorFile(WEIGHTS / f"{name}.safetensors").read().items()})
    return module.to(device).eval().requires_grad_(False)


def write_weights(name: str, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Store tensors in half precision as ``weights/name.safetensors``; single numbers stay exact."""
    file = WEIGHTS / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    halved = {k: v if v.ndim == 0 else v.half() for k, v in tensors.items()}
    write_tensors(file, halved, {"format_version": "1", **metadata})
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


def latents(work: Path, count: int, seed: int, device: torch.device) -> tuple[np.ndarray, list[Person]]:
    """Return (count, 16, 16, 16) float16 latents of drawn pictures, encoded once, and their factors."""
    store, factors = pictures(work, count, seed)
    return _encoded(work / f"latents-{seed}-{count}.npy", store, device), factors


def pair_latents(
    work: Path, count: int, seed: int, device: torch.device
) -> tuple[np.ndarray, list[tuple[Person, Person]]]:
    """Return (count, 16, 16, 32) float16 latents of pictures of two people, encoded once, and the factors of both."""
    store, people = pairs(work, count, seed)
    return _encoded(work / f"pair-latents-{seed}-{count}.npy", store, device), people


def _encoded(file: Path, store: np.ndarray, device: torch.device) -> np.ndarray:
    encoder: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def encode(rows: Tensor) -> Tensor:
        return encoder.encode(pixels_of(rows).contiguous(memory_format=torch.channels_last))  # a quarter faster

    return cached(file, partial(in_parts, encode, store, device, "latents"))


def decoded(work: Path, count: int, seed: int, device: torch.device) -> tuple[np.ndarray, list[Person]]:
    """Return the pictures of ``latents`` as the decoder shows them, (count, 128, 128, 3) bytes, and their factors."""
    codes, factors = latents(work, count, seed, device)
    decoder: AutoEncoder = load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)

    def make() -> np.ndarray:
        made = in_parts(lambda rows: decoder.decode(rows.float()).clamp(0, 1) * 255, codes, device, "decoded")
        return rearrange(made.round().astype(np.uint8), "n c h w -> n h w c")

    return cached(work / f"decoded-{seed}-{count}.npy", make), factors


def caption_texts(factors: Sequence[Person], each: int) -> list[str]:
    """Return ``each`` captions a picture, the same every time; every third is as rich as those of the encoders."""
    rng, fits = np.random.default_rng(3), _fits()
    plain = [[captions.caption(one, rng).text for _ in range(each - each // 3)] for one in factors]
    rich = [[texts.fitting((one,), rng, fits) for _ in range(each // 3)] for one in factors]
    return [text for some in zip(plain, rich, strict=True) for part in some for text in part]


def pair_texts(people: Sequence[tuple[Person, Person]], each: int) -> list[str]:
    """Return ``each`` captions a picture of two, the same every time."""
    rng, fits = np.random.default_rng(4), _fits()
    return [texts.fitting(two, rng, fits) for two in people for _ in range(each)]


def _fits() -> Callable[[str], bool]:
    tokenizer = load_encoders().tokenizer
    return lambda text: len(tokenizer.ids(text)) <= captions.LONGEST


def said(work: Path, name: str, texts: Sequence[str], device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Return the frozen encoders' rows (n, L, WIDTH) and pooled vectors (n, CAUSAL_WIDTH) of captions, float16."""
    encoders = load_encoders().to(device)

    def encode(part: int) -> np.ndarray:
        made = []
        with torch.no_grad():
            for start in trange(0, len(texts), 64, desc="captions", mininterval=5):
                made.append(encoders.encode(texts[start : start + 64])[part].half().cpu().numpy())
        return np.concatenate(made)

    return cached(work / f"cond-{name}.npy", lambda: encode(0)), cached(work / f"pooled-{name}.npy", lambda: encode(1))
