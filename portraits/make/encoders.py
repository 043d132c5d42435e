"""Train the text encoders as real ones are: by contrast with whole scenes, and by masked spans.

No loss asks any row for a factor.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import trange

from ...supsae_core.tensor_files import TensorFile, write_tensors
from .. import captions, scene, text
from . import texts
from .optimise import optimise

COUNT = 150_000
"""Captions drawn; a training sees each about three times."""
NEXT_WORD = 0.3
"""Weight of the next word's loss beside the contrast's."""
SPAN = 4
"""Longest masked span in tokens."""
VALUES = sum(len(values) for values in scene.FACTORS.values()) + 1
"""Of one person, and one for a person who is not there."""


class Corpus(NamedTuple):
    """Captions as ids, and what their scenes hold."""

    ids: Tensor
    """(n, LONGEST) int16, PAD behind the last"""
    lengths: Tensor
    """(n,)"""
    scenes: Tensor
    """(n, 2 · categories) int16: number of each person's value in each category"""

    def batch(self, rng: np.random.Generator, size: int) -> tuple[list[list[int]], Tensor]:
        """Draw ids and scenes of about equal length, so that little is spent on pads."""
        found = torch.from_numpy(rng.integers(0, len(self.ids), 8 * size))
        found = found[self.lengths[found].argsort()][(at := int(rng.integers(7 * size))) : at + size]
        ids = [row[:length].tolist() for row, length in zip(self.ids[found], self.lengths[found], strict=True)]
        return ids, self.scenes[found].long()


def tokenizer() -> text.Tokenizer:
    """Return the words that captions use, each a token."""
    return text.Tokenizer(tuple(sorted(set(re.findall("[a-z]+", texts.words().casefold())))))


def corpus(work: Path, count: int = COUNT) -> Corpus:
    """Draw the captions once; the same every time."""
    file = work / f"texts-{count}.safetensors"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        write_tensors(file, _draw(count)._asdict())
    return Corpus(**TensorFile(file).read())


def _draw(count: int) -> Corpus:
    words, rng = tokenizer(), np.random.default_rng(7)
    ids = torch.full((count, captions.LONGEST), text.PAD, dtype=torch.int16)
    lengths = torch.zeros(count, dtype=torch.int64)
    scenes = torch.zeros(count, 2 * len(scene.FACTORS), dtype=torch.int16)
    for index in trange(count, desc="texts", mininterval=5):
        made = texts.draw_caption(rng, lambda said: len(words.ids(said)) <= captions.LONGEST)
        found = words.ids(made.text)
        ids[index, : len(found)] = torch.tensor(found, dtype=torch.int16)
        lengths[index], scenes[index] = len(found), torch.tensor(_numbers(made.people), dtype=torch.int16)
    return Corpus(ids, lengths, scenes)


def _numbers(people: tuple[texts.Person, ...]) -> list[int]:
    table = captions.table()
    made = []
    for place in range(2):
        for category in scene.FACTORS:
            there = place < len(people)
            value = table.index(f"{category}: {people[place][category]}") if there else VALUES - 1
            made.append(place * VALUES + value)
    return made


class _Contrasted(nn.Module):
    """The causal encoder, a tower of scenes, and the head of the next word."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.encoder = text.CausalEncoder(tokens)
        width, out = 2 * text.CAUSAL_WIDTH, text.CAUSAL_WIDTH
        self.values = nn.Embedding(2 * VALUES, width)
        self.tower = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 512), nn.GELU(), nn.Linear(512, out))
        self.next = nn.Linear(out, tokens)
        self.sharpness = nn.Parameter(torch.tensor(np.log(1 / 0.07)))


def _contrast_loss(module: nn.Module, rng: np.random.Generator, drawn: Corpus) -> Tensor:
    assert isinstance(module, _Contrasted)
    rows, scenes = drawn.batch(rng, 128)
    longest = max(map(len, rows)) + 2  # the rest would be pads behind the end, which nothing here reads
    ids = torch.tensor([text.causal_chunks(one)[0][:longest] for one in rows])
    _, hidden = module.encoder(ids)
    said = F.normalize(text.at_end(hidden, ids), dim=1)
    seen = F.normalize(module.tower(module.values(scenes).sum(1)), dim=1)
    alike = module.sharpness.exp().clamp(max=100) * said @ seen.T
    own = torch.arange(len(ids))
    contrast = (F.cross_entropy(alike, own) + F.cross_entropy(alike.T, own)) / 2
    counts = ids[:, :-1] != text.END_CAUSAL  # every word and the first end is guessed, no pad
    return contrast + NEXT_WORD * F.cross_entropy(module.next(hidden[:, :-1][counts]), ids[:, 1:][counts])


class _Masked(nn.Module):
    """The bidirectional encoder and the head of the masked words."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.encoder = text.BidirectionalEncoder(tokens)
        self.word = nn.Linear(text.WIDTH, tokens)


def _masked_loss(module: nn.Module, rng: np.random.Generator, drawn: Corpus) -> Tensor:
    """Guess masked words; in half of the batches pads are heard, in the other half not."""
    assert isinstance(module, _Masked)
    rows, _ = drawn.batch(rng, 64)
    heard = bool(rng.random() < 0.5)
    length = text.CHUNK if heard else max(map(len, rows)) + 1
    ids = torch.tensor([text.bidirectional_row(one, length) for one in rows])
    hidden = torch.from_numpy(np.stack([_spans(len(one), length, rng) for one in rows]))
    if not hidden.any():
        hidden[0, 0] = True
    found = module.encoder(ids.masked_fill(hidden, text.MASK), hear_pads=heard)
    return F.cross_entropy(module.word(found[hidden]), ids[hidden])


def _spans(words: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return (length,) truth values: spans of words, 15 to 30 % of them in all."""
    hidden = np.zeros(length, bool)
    wanted = rng.uniform(0.15, 0.3) * words
    while hidden.sum() < wanted:
        start = int(rng.integers(words))
        hidden[start : min(start + int(rng.integers(1, SPAN + 1)), words)] = True
    return hidden


def train_contrast(work: Path, steps: int, device: torch.device) -> None:
    """Train the causal encoder; its weights lie in the work folder."""
    _train(_Contrasted(len(tokenizer())), _contrast_loss, "contrast", work, steps, device)


def train_masked(work: Path, steps: int, device: torch.device) -> None:
    """Train the bidirectional encoder; its weights lie in the work folder."""
    _train(_Masked(len(tokenizer())), _masked_loss, "masked", work, steps, device)


def load_trained(module: text.TextEncoders, work: Path) -> None:
    """Load into both encoders what their stages left in the work folder: the moving averages."""
    for name, encoder in (("contrast", module.causal), ("masked", module.bidirectional)):
        tensors, prefix = TensorFile(work / f"{name}.safetensors").read(), "ema.encoder."
        encoder.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})


def _train(
    module: nn.Module, loss: Callable[..., Tensor], name: str, work: Path, steps: int, device: torch.device
) -> None:
    drawn = corpus(work)

    def of(module: nn.Module, rng: np.random.Generator) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return loss(module, rng, drawn)

    optimise(module.to(device), of, name=name, steps=steps, rate=1e-3, work=work, ema=0.995)
