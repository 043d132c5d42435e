"""Two small frozen text encoders in the manner of SD3.5's: a causal one with a pooled end row, a bidirectional one."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..supsae_core.tensor_files import TensorFile
from . import paths

WEIGHTS = paths.WEIGHTS / "text_encoders.safetensors"
MOST_WORDS = 1000
"""Words and marks of a prompt: beyond, attention among all of them takes minutes and gigabytes."""
CHUNK = 48
"""Rows of one causal chunk, and the least number of rows of the bidirectional part."""
CAUSAL_WIDTH = 128
WIDTH = 192
"""Width of the conditioning; causal rows are zero from ``CAUSAL_WIDTH`` on, as CLIP's are from 2048 on in SD3.5."""

EMBEDDED = 0.25
"""Spread of the embeddings that training starts from. It decides how much of a word stays in its own row: chosen once,
before anything was measured on these encoders, and never tuned."""

PAD, START, END_CAUSAL, END, MASK, UNKNOWN = range(6)
SPECIAL = ("<pad>", "<start>", "<end-causal>", "<end>", "<mask>", "<unknown>")
PIECES = (*",.;:!?'-()", *"0123456789", *"abcdefghijklmnopqrstuvwxyz")


class EncodedText(NamedTuple):
    cond: Tensor
    """(B, causal rows + bidirectional rows, WIDTH)"""
    pooled: Tensor
    """(B, CAUSAL_WIDTH)"""


@dataclass(frozen=True)
class Tokenizer:
    """Whole words of a fixed vocabulary; any other word is spelled letter by letter."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        names = (
            *SPECIAL,
            *PIECES,
            *(f"{word} " for word in self.words),
        )  # the blank tells the word "a" from the letter
        object.__setattr__(self, "_ids", {name: index for index, name in enumerate(names)})

    def __len__(self) -> int:
        return len(SPECIAL) + len(PIECES) + len(self.words)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, case folded, without start, end or pads."""
        ids: dict[str, int] = self._ids  # type: ignore[attr-defined]
        found: list[int] = []
        for part in re.findall(r"[a-z]+|[^\sa-z]", text.casefold()):
            whole = ids.get(f"{part} ")
            found += [whole] if whole is not None else [ids.get(char, UNKNOWN) for char in part]
        return found


def causal_chunks(ids: Sequence[int]) -> list[list[int]]:
    """Lay ids out in chunks of ``CHUNK``: start, words, end, and pads that repeat the end, as CLIP-L does."""
    room = CHUNK - 2
    parts = [list(ids[i : i + room]) for i in range(0, len(ids), room)] or [[]]
    return [[START, *part, END_CAUSAL] + [END_CAUSAL] * (room - len(part)) for part in parts]


def bidirectional_row(ids: Sequence[int], length: int = CHUNK) -> list[int]:
    """Lay ids out as words, end, and pads up to at least ``length``, as T5 does."""
    return [*ids, END] + [PAD] * (length - len(ids) - 1)


def _embedding(count: int, width: int) -> nn.Embedding:
    made = nn.Embedding(count, width)
    nn.init.normal_(made.weight, std=EMBEDDED)
    return made


def at_end(rows: Tensor, ids: Tensor) -> Tensor:
    """(B, n, width) causal rows, (B, n) ids → (B, width): each text's row at its first end."""
    end = (ids == END_CAUSAL).int().argmax(1)
    return rows[torch.arange(len(rows), device=rows.device), end]


class Layer(nn.Module):
    """A pre-norm transformer layer with an additive attention bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        q, k, v = rearrange(self.qkv(self.norm1(x)), "b row (qkv h d) -> qkv b h row d", qkv=3, h=self.heads)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
        x = x + self.proj(rearrange(attended, "b h row d -> b row (h d)"))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class CausalEncoder(nn.Module):
    """Learned positions, causal attention, pads unmasked. Version 1 had a layer less, and its rows were the last's."""

    def __init__(self, vocabulary: int, *, first_version: bool = False) -> None:
        super().__init__()
        width, heads, layers = CAUSAL_WIDTH, 2, 3 if first_version else 4
        self.first_version = first_version
        self.token, self.position = _embedding(vocabulary, width), _embedding(CHUNK, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n ≤ CHUNK) ids → two (B, n, width): the rows behind the last layer but one, and the last's with its norm.

        The first are what a picture model reads, the second's end row is the pooled vector, as of SD3.5's CLIPs.
        """
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for layer in self.layers[:-1]:
            x = layer(x, None)
        last = self.norm(self.layers[-1](x, None))
        return last if self.first_version else x, last


class BidirectionalEncoder(nn.Module):
    """Relative position bias shared by the layers; pads take part, unless told otherwise."""

    reach = 16

    def __init__(self, vocabulary: int, width: int = WIDTH, layers: int = 3, heads: int = 3) -> None:
        super().__init__()
        self.token = _embedding(vocabulary, width)
        self.relative = nn.Embedding(2 * self.reach + 1, heads)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor, *, hear_pads: bool = True) -> Tensor:
        """(B, n) ids → (B, n, width)."""
        place = torch.arange(ids.shape[1], device=ids.device)
        distance = (place - rearrange(place, "row -> row 1")).clamp(-self.reach, self.reach) + self.reach
        bias = rearrange(self.relative(distance), "row other h -> 1 h row other")
        if not hear_pads:
            bias = bias.masked_fill(rearrange(ids == PAD, "b other -> b 1 1 other"), -torch.inf)
        x = self.token(ids)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)


def require_short(text: str, count: int) -> None:
    """Refuse a prompt of more tokens than are encoded.

    Raises:
        ValueError: naming both numbers.
    """
    if count > MOST_WORDS:
        raise ValueError(
            f"The prompt {text[:40]!r}… has {count} words and marks; Portraits reads up to {MOST_WORDS}. Shorten it."
        )


class TextEncoders(nn.Module):
    """Both encoders behind one call; the rows stand one after the other as in SD3.5."""

    def __init__(self, tokenizer: Tokenizer, *, first_version: bool = False) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.causal = CausalEncoder(len(tokenizer), first_version=first_version)
        self.bidirectional = BidirectionalEncoder(len(tokenizer))

    def encode(self, texts: Sequence[str]) -> EncodedText:
        """Encode a batch of texts; all get the number of rows of the longest."""
        ids = [self.tokenizer.ids(text) for text in texts]
        for text, one in zip(texts, ids, strict=True):
            require_short(text, len(one))
        chunks = [causal_chunks(one) for one in ids]
        most = max(len(one) for one in chunks)
        chunks = [one + causal_chunks([]) * (most - len(one)) for one in chunks]
        length = max(CHUNK, *(len(one) + 1 for one in ids))
        return self.encode_ids(chunks, [bidirectional_row(one, length) for one in ids])

    def encode_ids(self, chunks: Sequence[Sequence[Sequence[int]]], rows: Sequence[Sequence[int]]) -> EncodedText:
        """Encode laid-out ids: per text its causal chunks and its bidirectional row."""
        device = self.causal.token.weight.device
        batch = torch.tensor(chunks, device=device)
        found = self.causal(rearrange(batch, "b chunk row -> (b chunk) row"))  # a chunk hears only itself
        causal, last = (rearrange(one, "(b chunk) row d -> b chunk row d", b=len(batch)) for one in found)
        pooled = at_end(last[:, 0], batch[:, 0])
        other = self.bidirectional(torch.tensor(rows, device=device))
        rows_of_causal = F.pad(rearrange(causal, "b chunk row d -> b (chunk row) d"), (0, WIDTH - CAUSAL_WIDTH))
        return EncodedText(torch.cat([rows_of_causal, other], 1), pooled)


def load_tokenizer(path: Path = WEIGHTS) -> Tokenizer:
    """Load the words of the encoders that ship with the pack, without their weights."""
    return Tokenizer(tuple(json.loads(TensorFile(path).metadata["vocabulary"])))


def load_encoders(path: Path = WEIGHTS) -> TextEncoders:
    """Load the frozen encoders that ship with the pack; the vocabulary lies in the file's header."""
    file = TensorFile(path)
    header, tensors = file.metadata, {key: value.float() for key, value in file.read().items()}
    words, first_version = json.loads(header["vocabulary"]), header.get("version", "1") == "1"
    encoders = TextEncoders(Tokenizer(tuple(words)), first_version=first_version)
    encoders.load_state_dict(tensors)
    return encoders.eval().requires_grad_(False)
