"""What text encoders can spell, told by their tokenizers alone: no weights are loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from ...portraits import text
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.dictionary.unite import as_said
from ...supsae_core.table.check import Speller
from .tokenizers import TOKENIZERS, tokenizer_of

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
def encoders_of(family: str) -> Speller:
    """Return what a family's T5 cannot spell, and what fills a chunk of its CLIP; language models spell every byte."""
    tokenizer = tokenizer_of(family)
    t5 = getattr(tokenizer, "t5xxl", getattr(tokenizer, "clip_t5xxl", None))
    clip = getattr(tokenizer, "clip_l", None)

    def speller(phrase: str) -> Iterator[tuple[str, str]]:
        unknown = [word for word in phrase.split() if t5 is not None and T5_UNKNOWN in _ids(t5, word)]
        if unknown:
            yield "T5", f"it has no token for {', '.join(map(repr, unknown))}"
        count = 0 if clip is None else len(_ids(clip, phrase)) - 2  # start and end
        if count > ROOM_CLIP:
            yield "CLIP", f"it fills more than one of its chunks ({count} tokens of {ROOM_CLIP})"

    return speller


def _ids(tokenizer: Any, phrase: str) -> list[int]:
    return tokenizer.tokenizer(phrase)["input_ids"]


def unknown_concepts(dictionary: Dictionary) -> dict[str, str]:
    """Return concept → why its words cannot be drawn, of those all of whose phrases its encoders cannot spell."""
    if dictionary.family.name not in SPELLERS:
        return {}
    speller, found = SPELLERS[dictionary.family.name](), dict[str, str]()
    for concept in dictionary.table.concepts:
        phrases = [as_said(phrase) if dictionary.members else phrase for phrase in concept.phrases]
        whys = [list(speller(phrase)) for phrase in phrases]
        if all(whys):
            found[str(concept)] = f"{phrases[0]!r}: {whys[0][0][1]}"
    return found


SPELLERS: dict[str, Callable[[], Speller]] = {
    **{name: partial(encoders_of, name) for name in TOKENIZERS},
    "portraits": portraits,
}
"""Name of a family → what its encoders cannot spell; read when first asked for."""
