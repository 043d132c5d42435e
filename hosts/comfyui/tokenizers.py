"""How ComfyUI's tokenizers spell a text, word by word; no weights are loaded for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from ...supsae_core.encoders.base import Family
from .portraits_clip import portraits_tokenizer

Tokens = Mapping[str, Sequence[Sequence[tuple]]]
"""Key of a tokenizer → chunks of (token, weight, number of the weighted group; 0: start, end and pads)."""
Tokenize = Callable[[str], Tokens]


class WordCounts:
    """How many tokens spell each word of a text, by the encoders of a family."""

    def __init__(self, family: Family, tokenize: Tokenize) -> None:
        self._keys, self._tokenize = family.comfyui, tokenize
        self._names = [encoder.name for encoder in family.encoders]
        self._known: dict[tuple[str, str], dict[str, int]] = {}
        self._template = self._count("")

    def of_text(self, text: str) -> dict[str, tuple[int, ...]]:
        """Return the tokens of each whitespace word of a text as it stands, the blanks before it included.

        Each is counted behind the last letter of the word before it: some tokenizers glue a word to its blank, and a
        mark to a line's end. Measured equal to the whole text in all families' tokenizers.
        """
        pieces = re.findall(r"\s*\S+", text)
        found = [self._behind(before[-1:], piece) for before, piece in pairwise(["", *pieces])]
        return {name: tuple(one[name] for one in found) for name in self._names}

    def total(self, text: str) -> dict[str, int]:
        """Return the tokens of a text, none of a template counted."""
        found = self._count(text)
        return {name: found[name] - self._template[name] for name in self._names}

    def _behind(self, before: str, piece: str) -> dict[str, int]:
        if (before, piece) not in self._known:
            whole, part = self.total(before + piece), self.total(before)
            self._known[before, piece] = {name: whole[name] - part[name] for name in self._names}
        return self._known[before, piece]

    def _count(self, text: str) -> dict[str, int]:
        tokens = self._tokenize(plain(text))
        return {
            name: sum(token[2] != 0 for chunk in tokens[self._keys[name]] for token in chunk) for name in self._names
        }


def plain(prompt: str) -> str:
    """Return a prompt whose brackets are text: a phrase's own must not weight it."""
    return prompt.replace("(", "\\(").replace(")", "\\)")


@cache
def tokenizer_of(family: str) -> Any:
    """Return a family's tokenizers; None where this ComfyUI has none of them."""
    try:
        return TOKENIZERS[family]()
    except (KeyError, ImportError):
        return None


def counts_of(family: Family) -> WordCounts | None:
    """Return what counts a family's words without its encoders; None where this ComfyUI has no tokenizers of it."""
    tokenizer = tokenizer_of(family.name)
    if tokenizer is None:
        return None
    return WordCounts(family, lambda text: tokenizer.tokenize_with_weights(text, return_word_ids=True))


@cache
def weighs(family: str) -> bool:
    """Tell whether a family's tokenizers read prompt weights, as in ``(red hair:1.3)``; else they are text."""
    tokens = tokenizer_of(family).tokenize_with_weights("(a:1.5)")
    return any(weight != 1 for some in tokens.values() for chunk in some for _, weight in chunk)


@cache
def glues(family: str) -> bool:
    """Tell whether a family's tokenizers glue a word to the blank before it, so that without one it is another."""
    tokenizer = tokenizer_of(family)

    def tokens(text: str) -> set[Any]:
        found = tokenizer.tokenize_with_weights(text).values()
        return {token[0] for some in found for chunk in some for token in chunk}

    return not tokens("hat") <= tokens("a hat")


def bare_words(text: str) -> frozenset[int]:
    """Return the words, by number, with no blank right before them: the first, and those that begin a line."""
    pieces = re.findall(r"(\s*)\S+", text)
    return frozenset(number for number, before in enumerate(pieces) if not before.endswith(" "))


def _sd3() -> Any:
    from comfy.text_encoders import sd3_clip

    return sd3_clip.SD3Tokenizer()


def _flux() -> Any:
    from comfy.text_encoders import flux

    return flux.FluxTokenizer()


def _sdxl() -> Any:
    from comfy import sdxl_clip

    return sdxl_clip.SDXLTokenizer()


def _chroma() -> Any:
    from comfy.text_encoders import pixart_t5

    return pixart_t5.PixArtTokenizer()


def _z_image() -> Any:
    from comfy.text_encoders import z_image

    return z_image.ZImageTokenizer()


def _qwen_image() -> Any:
    from comfy.text_encoders import qwen_image

    return qwen_image.QwenImageTokenizer()


def _klein_4b() -> Any:
    from comfy.text_encoders import flux

    return flux.KleinTokenizer()


def _klein_9b() -> Any:
    from comfy.text_encoders import flux

    return flux.KleinTokenizer8B()


def _krea_2() -> Any:
    from comfy.text_encoders import krea2

    return krea2.Krea2Tokenizer()


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "portraits": portraits_tokenizer,
    "sd3": _sd3,
    "flux": _flux,
    "sdxl": _sdxl,
    "chroma": _chroma,
    "z-image": _z_image,
    "qwen-image": _qwen_image,
    "klein-4b": _klein_4b,
    "klein-9b": _klein_9b,
    "krea-2": _krea_2,
}
"""Family → its tokenizers, which ship with ComfyUI; older ones lack some."""
