"""What the paper's experiment asks: prompts of one template to learn from, and swaps in combinations never seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...supsae_core.capture.plan import Entry, TextPlan
from ...supsae_core.host import TextHost, text_fingerprint
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Mention, Prompt
from ..cases import Case, make_case
from ..text.reconstruction import template_prompts, template_text

TABLE = Path(__file__).with_name("paper.yaml")
STREAM = 23
"""Part of the seed."""
REWRITES = 3
"""Most prompts learnt from that are taken for rewrites of one of them."""
Support = tuple[int, ...]
"""One concept of every category"""


LEAST = {"prompts": 10, "calibration": 4, "swaps": 1, "qualifying": 0}
"""Of the numbers of an experiment."""


@dataclass(frozen=True)
class ReproduceConfig:
    """How much is asked; the paper learns from 1500 prompts and looks at more than 50 pictures."""

    prompts: int = 1500
    calibration: int = 64
    """prompts kept for calibration, each with a rewrite; the paper's model does not use them"""
    swaps: int = 50
    """in combinations never seen"""
    category: str = "hair"
    """whose values are swapped"""
    qualifying: int = 4
    """most prompts of never seen combinations that every concept is first drawn in, unedited"""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, number in LEAST.items():
            if getattr(self, name) < number:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {number} or more.")


class Experiment(NamedTuple):
    """All that is drawn before anything is learnt."""

    plan: TextPlan
    cases: tuple[Case, ...]
    """swaps; neither prompt nor rewrite is in the plan"""
    qualifying: tuple[tuple[int, Prompt], ...]
    """(concept, prompt that says it)"""


def draw_experiment(table: ConceptTable, host: TextHost, config: ReproduceConfig) -> Experiment:
    """Draw prompts and cases; the same arguments give the same.

    Raises:
        ValueError: if the table has fewer combinations that fit the encoders than are asked for.
    """
    if config.category not in table.categories:
        raise ValueError(
            f"There is no category {config.category!r} to swap in. Choose one of: {', '.join(table.categories)}."
        )
    rng = np.random.default_rng((config.seed, STREAM))
    every = [one for one in template_prompts(table, 200_000, rng) if _fits(host, template_text(table, one))]
    if len(every) < 2 * config.prompts:
        most = len(every) // 2
        remedy = f"Ask for at most {most} prompts, or add" if most >= LEAST["prompts"] else "Add"
        raise ValueError(
            f"This table has {len(every)} combinations that have room in the text encoders; learning from "
            f"{config.prompts} leaves too few that were never seen. {remedy} values to the table."
        )
    learnt, unseen = every[: config.prompts], iter(every[config.prompts :])
    known = set(learnt)
    entries = [_entry(host, *one) for one in _families(table, learnt)]
    for number in range(config.calibration):
        before, after = _pair(table, unseen, known, number % len(table))
        entries += [_entry(host, _prompt(table, before), "calibration"), _entry(host, _prompt(table, after), "rewrite")]
    swapped = table.categories[config.category]
    asked = [swapped[number % len(swapped)] for number in range(config.swaps)]
    cases = tuple(_case(table, *_pair(table, unseen, known, new), rng) for new in asked)
    qualifying = tuple(
        (concept, _prompt(table, support))
        for concept in range(len(table))
        for support in [one for one in every[config.prompts :] if concept in one][: config.qualifying]
    )
    plan = TextPlan(table, host.family, tuple(entries), (), text_fingerprint(host), config.seed, whole=True)
    return Experiment(plan, cases, qualifying)


def _fits(host: TextHost, text: str) -> bool:
    counts = {name: sum(one) for name, one in host.counts(text.split()).items()}
    try:
        host.family.require_room(counts, text)
    except ValueError:
        return False
    return host.family.length(counts) == host.family.length(dict.fromkeys(counts, 0))


def _prompt(table: ConceptTable, support: Support) -> Prompt:
    words: list[str] = []
    mentions = []
    for concept in support:
        if words:
            words[-1] += ","
        phrase = table.first_phrase[concept]
        mentions.append(Mention(phrase, len(words), len(words) + len(table.phrases[phrase].words)))
        words += table.phrases[phrase].words
    return Prompt(tuple(words), tuple(mentions))


def _families(table: ConceptTable, learnt: Sequence[Support]) -> Iterator[tuple[Prompt, str, str]]:
    """Order prompts so that those which differ from one in a single category stand behind it, as its rewrites."""
    left = dict.fromkeys(learnt)
    for support in learnt:
        if support in left:
            del left[support]
            origin = _prompt(table, support)
            yield origin, "fit", ""
            near = [one for one in _neighbours(table, support) if one in left][:REWRITES]
            for one in near:
                del left[one]
                yield _prompt(table, one), "fit", origin.text


def _neighbours(table: ConceptTable, support: Support) -> Iterator[Support]:
    for concept in range(len(table)):
        if concept not in support:
            yield _with(table, support, concept)


def _with(table: ConceptTable, support: Support, new: int) -> Support:
    """Return a support with one concept in the place of its category's."""
    return tuple(new if table.category_of[one] == table.category_of[new] else one for one in support)


def _pair(table: ConceptTable, unseen: Iterable[Support], known: set[Support], new: int) -> tuple[Support, Support]:
    """Return a support that lacks a concept and the same with it, both never seen."""
    for before in unseen:
        after = _with(table, before, new)
        if after != before and not known & {before, after}:
            known |= {before, after}
            return before, after
    raise ValueError("This table has too few combinations left to test on. Ask for fewer prompts or swaps.")


def _case(table: ConceptTable, before: Support, after: Support, rng: np.random.Generator) -> Case:
    ((old, new),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    return make_case(table, _prompt(table, before), [(old, new)], int(rng.integers(2**31)))


def _entry(host: TextHost, prompt: Prompt, kind: str, of: str = "") -> Entry:
    return Entry(prompt, kind, host.counts(prompt.words), of)
