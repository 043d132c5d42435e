"""Swaps to judge a dictionary's text side by, in fresh prompts that its text encoders have room for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...portraits import captions
from ...supsae_core.capture.captures import Encoded
from ...supsae_core.capture.plan import Entry
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import Swap
from ...supsae_core.host import TextHost
from ...supsae_core.table.prompts import PLAIN, Pair, Prompt, Wording
from ..cases import Case, World, draw_cases

STREAM = 11
"""Part of the seed, so that no draw of capturing (1, 2) is repeated."""
TRIES = 200
"""Swaps drawn for one that the encoders have room for."""
SPLITS = {
    "seen": "swaps into pairs of concepts that fitting saw together",
    "unseen": "swaps into pairs of concepts that fitting never saw together",
}
"""Split → what it asks."""


@dataclass(frozen=True)
class TextConfig:
    """What is drawn to judge a dictionary's text side by."""

    prompts: int = 256
    """swaps, one a prompt; half of them into pairs that fitting never saw together, if it held any out"""
    seed: int = 0
    """of every choice; in a very small table texts may still be those that were fitted on"""
    mention: float = 0.75
    """chance that a category is mentioned; lower it for a table of many categories"""
    wording: Wording | None = None
    """of the prompts; what capturing the table draws with, unless given"""

    def __post_init__(self) -> None:
        if self.prompts < 2 or not 0 < self.mention <= 1:
            raise ValueError(
                "At least 2 prompts and a mention rate above 0 and at most 1 are needed, not "
                f"{self.prompts} and {self.mention:g}."
            )


def held_out_pairs(dictionary: Dictionary) -> frozenset[Pair]:
    """Return the pairs of concepts that fitting never saw together on purpose."""
    return frozenset(frozenset(pair) for pair in dictionary.provenance.get("held_out", ()))


def text_cases(dictionary: Dictionary, host: TextHost, config: TextConfig) -> tuple[dict[str, list[Case]], list[str]]:
    """Draw the swaps of every split, all concepts about equally often; and say why a split is left out.

    Raises:
        ValueError: if the prompts drawn have no room in the encoders.
    """
    table, held_out = dictionary.table, held_out_pairs(dictionary)
    wording = config.wording or (captions.WORDING if table == captions.table() else PLAIN)
    world = World(table, held_out, wording=wording, mention=config.mention)
    rng, used = np.random.default_rng((config.seed, STREAM)), [0] * len(table)

    def roomy(pairs: str) -> Case:
        drawn = (draw_cases(Swap, world, 1, rng, pairs=pairs, used=used)[0] for _ in range(TRIES))
        case = next((one for one in drawn if has_room(host, one)), None)
        if case is None:
            raise ValueError(
                f"Of {TRIES} prompts drawn with a mention rate of {config.mention:g} none has room in the text "
                "encoders. Choose a lower rate."
            )
        return case

    half = config.prompts // 2 if held_out else 0
    seen = {"seen": [roomy("seen") for _ in range(config.prompts - half)]}
    if not half:
        return seen, [
            "Unseen pairs could not be measured: fitting held none out. Capture with a held-out share, such as 0.1."
        ]
    try:
        return seen | {"unseen": [roomy("unseen") for _ in range(half)]}, []
    except ValueError as error:
        return seen, [f"Unseen pairs could not be measured: {error}"]


def has_room(host: TextHost, case: Case) -> bool:
    """Tell whether a case's prompts take no more rows than the empty one, where there are pads, and none is cut."""
    for prompt in (case.prompt, case.rewrite):
        counts = host.counts(prompt.words)
        for encoder in host.family.encoders:
            tokens, layout = sum(counts[encoder.name]), encoder.layout
            longer = layout.has_pads and layout.length(tokens) > layout.length(0)
            if longer or (layout.room is not None and tokens > layout.room):
                return False
    return True


def encoded_cases(host: TextHost, cases: Sequence[Case]) -> Iterator[tuple[Encoded, Encoded]]:
    """Encode the prompts of cases and their rewrites, as a capture would hold them: the truth beside the rows."""
    prompts: list[Prompt] = [case.prompt for case in cases]
    prompts += [case.rewrite for case in cases]
    entries = [Entry(prompt, "test", host.counts(prompt.words)) for prompt in prompts]
    conds, pooled = host.encode([prompt.text for prompt in prompts])
    rows = [Encoded(*row) for row in zip(entries, conds, pooled, strict=True)]
    return zip(rows[: len(cases)], rows[len(cases) :], strict=True)
