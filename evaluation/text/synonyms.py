"""Words that a table lacks: where an encoder's rows show them, and whether an offer stands at their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ...portraits import captions
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import edits, offered
from ...supsae_core.editing.edits import Swap
from ...supsae_core.host import TextHost
from ...supsae_core.reading.known_text import KnownText
from ...supsae_core.reading.readout import read_conditioning
from ...supsae_core.table.concepts import ConceptTable, trim
from ..cases import Case, World, draw_cases, replaced, reworded
from ..intervals import share
from . import photographs

STREAM = 13
"""Part of the seed."""
TRIES = 200
"""Cases drawn for one whose old concept has such words."""


class Strange(NamedTuple):
    """A swap of a concept that the prompt says in words of no table."""

    case: Case
    said: str
    """these words"""
    text: KnownText
    cond: Tensor
    """(L, width)"""


def words_of(table: ConceptTable) -> Mapping[str, str]:
    """Return concept → words for it that the table lacks; none for a table that nobody wrote any for."""
    if table == captions.table():
        return {concept: words[0] for concept, words in captions.PARAPHRASES.items()}
    return photographs.SYNONYMS if table == photographs.table() else {}


def draw_strange(world: World, host: TextHost, count: int, seed: int) -> list[Strange]:
    """Draw swaps of concepts that are said in other words; fewer, or none, where there are no such words."""
    rng, table, words = np.random.default_rng((seed, STREAM)), world.table, words_of(world.table)
    found = list[Strange]()
    for _ in range(count if words else 0):
        for case in _swaps(world, rng):
            ((old, _),) = replaced(case.before, case.after)
            said = words.get(str(table.concepts[old]))
            if said is not None:
                prompt = reworded(table, case.prompt, old, said)
                (cond,), _ = host.encode([prompt.text])
                text = KnownText(prompt.words, host.counts(prompt.words))
                found.append(Strange(replace(case, prompt=prompt), said, text, cond))
                break
    return found


def _swaps(world: World, rng: np.random.Generator) -> Iterator[Case]:
    return (draw_cases(Swap, world, 1, rng)[0] for _ in range(TRIES))


def of_synonyms(dictionary: Dictionary, some: list[Strange]) -> dict[str, Any]:
    """Return for how many the concept is read as if it were in the table's words, and what the others are offered.

    ``offered`` counts offers of the very words, ``near`` offers of some of them, both among all that are not read.
    """
    read, offers, near = list[bool](), list[bool](), list[bool]()
    for one in some:
        reading = read_conditioning(dictionary, one.cond, edits.expected(dictionary.table, one.case.edits))
        ((old, _),) = replaced(one.case.before, one.case.after)
        read.append(old in reading.concepts(dictionary))
        if not read[-1]:
            made = offered.offers(dictionary, one.cond, reading, one.case.edits, one.text)
            words = [trim(offer.words.casefold()) for offer in made.values()]
            offers.append(one.said.casefold() in words)
            near.append(any(set(one.said.casefold().split()) & set(found.split()) for found in words))
    return {"read": share(read).json(), "offered": share(offers).json(), "near": share(near).json()}
