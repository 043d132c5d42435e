"""What text encoders can spell, told by their tokenizers alone: no weights are loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ...portraits import text
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.table.check import Speller
from .text import sd3_tokenizer

ROOM = text.CHUNK - 2
"""Tokens of a prompt that Portraits reads."""
T5_UNKNOWN = 2
"""<unk> of T5's vocabulary."""
ROOM_CLIP = 75
"""Tokens of one of CLIP's chunks."""


@cache
def portraits() -> Speller:
    """Return what Portraits' encoders cannot spell, and words that they never saw."""
    tokenizer = text.load_tokenizer()
    known = {*text.PIECES, *tokenizer.words}

    def speller(phrase: str) -> Iterator[tuple[str, str]]:
        unknown = sorted({char for char in phrase.casefold() if not char.isspace() and char not in known})
        if unknown:
            yield "Portraits", f"it has no letter {', '.join(map(repr, unknown))}"
            return
        words = dict.fromkeys(re.findall("[a-z]+", phrase.casefold()))
        unseen = [word for word in words if word not in tokenizer.words]
        if unseen:
            yield "Portraits", f"it was never taught {', '.join(map(repr, unseen))}, so nothing of it will be drawn"
        if len(tokenizer.ids(phrase)) > ROOM:
            yield "Portraits", f"it fills a whole prompt ({len(tokenizer.ids(phrase))} tokens of {ROOM})"

    return speller


@cache
def sd3() -> Speller:
    """Return what T5 cannot spell; CLIP spells every byte."""
    tokenizer = sd3_tokenizer()
    t5, clip = tokenizer.t5xxl.tokenizer, tokenizer.clip_l.tokenizer

    def speller(phrase: str) -> Iterator[tuple[str, str]]:
        unknown = [word for word in phrase.split() if T5_UNKNOWN in _ids(t5, word)]
        if unknown:
            yield "T5", f"it has no token for {', '.join(map(repr, unknown))}"
        count = len(_ids(clip, phrase)) - 2  # start and end
        if count > ROOM_CLIP:
            yield "CLIP", f"it fills more than one of its chunks ({count} tokens of {ROOM_CLIP})"

    return speller


def _ids(tokenizer: Any, phrase: str) -> list[int]:
    return tokenizer(phrase)["input_ids"]


def unknown_concepts(dictionary: Dictionary) -> dict[str, str]:
    """Return concept → why its words cannot be drawn, of those all of whose phrases its encoders cannot spell."""
    if dictionary.family.name not in SPELLERS:
        return {}
    speller, found = SPELLERS[dictionary.family.name](), dict[str, str]()
    for concept in dictionary.table.concepts:
        whys = [list(speller(phrase)) for phrase in concept.phrases]
        if all(whys):
            found[str(concept)] = f"{concept.phrases[0]!r}: {whys[0][0][1]}"
    return found


SPELLERS: dict[str, Callable[[], Speller]] = {"portraits": portraits, "sd3": sd3}
"""Name of a text format → what its encoders cannot spell; read when first asked for."""
