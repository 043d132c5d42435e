"""Portraits prompts: factors → a caption of free wording, and which of its words belong to which concept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import yaml

from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.parsing import load_table
from ..supsae_core.table.prompts import Mention, Prompt, Wording
from . import paths


@cache
def table() -> ConceptTable:
    """Return the concept table of Portraits."""
    return load_table(paths.TABLE)


PLAIN = Wording(
    openers=(
        "a portrait of a person with", "a cartoon person with", "portrait,", "a drawing of someone with",
        "an illustration of a person,", "picture of a character with", "please draw a person with", "",
    ),
    joiners=(",", ",", ",", "and", "with", ", and", ", also"),
    fillers=(
        "highly detailed", "soft light", "flat colours", "in the centre", "looking at the viewer",
        "cute", "best quality", "clean lines", "as a sticker", "simple shapes",
    ),
    others=tuple(phrase.text for phrase in table().phrases),  # for tables that know less than the model
)  # fmt: skip
"""Of captions of one person, and of prompts to judge by."""
WORDING = replace(
    PLAIN,
    openers=(
        *3 * PLAIN.openers,
        "two people, on the left a person with", "two friends, the right one has", "side by side, left, a woman with",
        "a pair, at the right stands a man with", "a portrait of two people, the left one has",
        "a drawing of two people, on the right a boy with",
    ),
    joiners=(
        *6 * PLAIN.joiners,
        ", on the right a man with", ", the left one has",
    ),
)  # fmt: skip
"""Of prompts to learn from, some of two people: who learns without them takes "two people" for two tails."""
LONGEST = 46
"""Longest caption in tokens: one chunk of the causal encoder."""


def _paraphrases() -> dict[str, tuple[str, ...]]:
    read = yaml.safe_load(paths.WORDINGS.read_text(encoding="utf-8"))
    return {f"{category}: {name}": tuple(said) for category, some in read.items() for name, said in some.items()}


PARAPHRASES = _paraphrases()
"""Concept → phrases that the model knows and the concept table does not: the test of wordings nobody foresaw."""

PAIR = (
    "two people,", "two friends,", "a portrait of two people,", "a pair,", "side by side,", "a drawing of two people,",
    "",
)  # fmt: skip
SIDES = (
    ("on the left {} with", "on the right {} with"),
    ("the left one has", "the right one has"),
    ("left, {} with", "right, {} with"),
    ("at the left stands {} with", "at the right stands {} with"),
)  # fmt: skip
SOMEONE = ("a person", "someone", "a man", "a woman", "a girl", "a boy", "a friend")
"""How captions of two people side by side speak of the left one and the right one."""


@cache
def full_table() -> ConceptTable:
    """Return the table with the paraphrases as further phrases: what the model is taught, not the dictionary."""
    known = table().concepts
    return ConceptTable(tuple(replace(c, phrases=(*c.phrases, *PARAPHRASES.get(str(c), ()))) for c in known))


def caption(factors: Mapping[str, str], rng: np.random.Generator, *, longest: int = LONGEST) -> Prompt:
    """Word a picture's factors in the words of ``full_table``: a random part of them, in any order.

    A caption of more than ``longest`` words and punctuation marks is drawn anew.
    """
    share = rng.uniform(0.3, 1.0)
    written = [
        full_table().index(f"{category}: {value}") for category, value in factors.items() if rng.random() < share
    ]
    while True:
        prompt = prompts.draw_prompt(full_table(), rng, wording=PLAIN, mention=0.0, require=written)
        if prompts.length(prompt.text) <= longest:
            return prompt


def caption_of_two(
    table: ConceptTable, said: Sequence[Sequence[int]], rng: np.random.Generator, *, turned: bool = False
) -> Prompt:
    """Word two people side by side, each by phrases of a table.

    Args:
        said: the phrases of the left one and of the right one.
        turned: whether the right one is spoken of first.
    """
    sides = SIDES[int(rng.integers(len(SIDES)))]
    words, mentions = str(rng.choice(PAIR)).split(), list[Mention]()
    for number, place in enumerate((1, 0) if turned else (0, 1)):
        words += ["and"] if number and rng.random() < 0.5 else []
        words += sides[place].format(rng.choice(SOMEONE)).split()
        for position, phrase in enumerate(said[place]):
            words += ["and"] if position else []
            start = len(words)
            words += table.phrases[phrase].words
            mentions.append(Mention(phrase, start, len(words)))
        words[-1] += "," * (number == 0)
    return Prompt(tuple(words), tuple(mentions))
