"""Rewrites to learn edits from: a prompt with one phrase replaced, added or deleted, rare phrases first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from . import prompts
from .concepts import ConceptTable
from .prompts import Pair, Prompt

ADDED, DELETED = 0.125, 0.125
"""Shares of rewrites that add a phrase and that delete one; the others replace one."""


def draw_rewrite(
    table: ConceptTable,
    rng: np.random.Generator,
    prompt: Prompt,
    *,
    held_out: Collection[Pair] = (),
    used: list[int],
) -> Prompt | None:
    """Draw a rewrite of a prompt, or None if the table allows of none.

    Args:
        table: of the phrases.
        rng: of every choice.
        prompt: to rewrite.
        held_out: pairs of concepts that must not stand together.
        used: how often each phrase was written so far; what is written is among the least used, and counted.
    """
    kind = rng.random()
    if kind < DELETED and len(prompt.mentions) > 1:
        return prompts.delete_mention(prompt, int(rng.integers(len(prompt.mentions))))
    support = prompt.support(table)
    if kind < ADDED + DELETED:
        said = {table.category_of[concept] for concept in support}
        legal = [
            phrase
            for phrase in range(len(table.phrases))
            if table.category_of[table.phrases[phrase].concept] not in said
            and not _clashes(table, phrase, support, held_out)
        ]
        if legal:
            return prompts.write_behind(table, prompt, _rarest(legal, rng, used))
    legal_by_place = _replacements(table, support, held_out)
    if not legal_by_place:
        return None
    at = int(rng.choice(list(legal_by_place)))
    return prompts.replace_mention(table, prompt, at, _rarest(legal_by_place[at], rng, used))


def _replacements(table: ConceptTable, support: Sequence[int], held_out: Collection[Pair]) -> dict[int, list[int]]:
    """Return, per mention that can be replaced, the phrases of other concepts that may stand there."""
    legal_by_place = {}
    for at, old in enumerate(support):
        others = [concept for place, concept in enumerate(support) if place != at]
        members = table.categories[table.concepts[old].category]
        legal = [
            phrase
            for phrase in range(len(table.phrases))
            if table.phrases[phrase].concept in members
            and table.phrases[phrase].concept != old
            and not _clashes(table, phrase, others, held_out)
        ]
        if legal:
            legal_by_place[at] = legal
    return legal_by_place


def _clashes(table: ConceptTable, phrase: int, others: Sequence[int], held_out: Collection[Pair]) -> bool:
    return any(frozenset((table.phrases[phrase].concept, other)) in held_out for other in others)


def _rarest(legal: Sequence[int], rng: np.random.Generator, used: list[int]) -> int:
    least = min(used[phrase] for phrase in legal)
    phrase = int(rng.choice([one for one in legal if used[one] == least]))
    used[phrase] += 1
    return phrase
