"""Cases to judge an edit on: a prompt, an edit of it, and the prompt rewrite that the edit is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..supsae_core.capture.captures import Encoded
from ..supsae_core.capture.plan import Entry
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing.apply import apply
from ..supsae_core.editing.edits import Add, Edit, Remove, Swap
from ..supsae_core.host import TextHost
from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.prompts import PLAIN, Pair, Prompt, Wording

TRIES = 20000
"""Prompts drawn for one case before giving up."""


@dataclass(frozen=True)
class Case:
    """One edit of one prompt, and the prompt rewrite it is held against."""

    prompt: Prompt
    edit: Edit
    rewrite: Prompt
    """the same words with the phrase replaced, deleted or written behind"""
    seed: int
    """of the pictures"""
    category: str
    old: str | None
    """value that the prompt says, or None"""
    wanted: str | None
    """value to be read; None for a removal, after which any value may be drawn"""


def _swaps(table: ConceptTable, support: Sequence[int]) -> list[tuple[int | None, int | None]]:
    members = table.categories
    return [(old, new) for old in support for new in members[table.concepts[old].category] if new != old]


def _adds(table: ConceptTable, support: Sequence[int]) -> list[tuple[int | None, int | None]]:
    said = {table.concepts[one].category for one in support}
    return [(None, new) for new, concept in enumerate(table.concepts) if concept.category not in said]


def _removes(table: ConceptTable, support: Sequence[int]) -> list[tuple[int | None, int | None]]:
    return [(old, None) for old in support]


CANDIDATES: dict[type[Edit], Callable[[ConceptTable, Sequence[int]], list[tuple[int | None, int | None]]]] = {
    Swap: _swaps,
    Add: _adds,
    Remove: _removes,
}
"""Edit → (table, what a prompt says) → the (old, new) concepts it could be asked for."""
PAIRS = ("unseen", "seen", "any")


def draw_cases(
    edit: type[Edit],
    table: ConceptTable,
    count: int,
    rng: np.random.Generator,
    *,
    held_out: Collection[Pair] = (),
    pairs: str = "any",
    wording: Wording = PLAIN,
    mention: float = 0.75,
    longest: int | None = None,
    apart_from: Collection[str] = (),
    used: list[int] | None = None,
) -> list[Case]:
    """Draw cases of one kind of edit; the prompts themselves never hold a held-out pair.

    Args:
        edit: ``Swap``, ``Add`` or ``Remove``.
        table: the concepts.
        count: number of cases.
        rng: source of every choice, the pictures' seeds among them.
        held_out: pairs that fitting never saw together.
        pairs: ``unseen``: the new concept forms a held-out pair with another concept of the prompt; ``seen``: it forms
            none; ``any``.
        wording: of the prompts.
        mention: chance that a category is mentioned.
        longest: most words and punctuation marks in a prompt or its rewrite.
        apart_from: texts that no case's prompt or rewrite may be, such as those that were fitted on.
        used: how often each concept was asked for so far; of a prompt's candidates the rarest is then taken, and the
            counts brought up to date, so that few cases ask for all.

    Raises:
        ValueError: if no such case can be drawn from the table and the pairs.
    """
    if pairs not in PAIRS:
        raise ValueError(f"There is no kind of pairs {pairs!r}. Kinds are: {', '.join(PAIRS)}.")
    found: list[Case] = []
    for _ in range(count):
        drawn = (
            prompts.draw_prompt(table, rng, wording=wording, mention=mention, held_out=held_out) for _ in range(TRIES)
        )
        made = (_case(edit, table, rng, prompt, held_out, pairs, used) for prompt in drawn)
        case = next((one for one in made if one and _fits(one, longest, apart_from)), None)
        if case is None:
            raise ValueError(
                f"No {edit.__name__.lower()!r} with {pairs} pairs can be drawn with {len(held_out)} pairs held out."
            )
        found.append(case)
        if used is not None:
            used[table.index(case.edit.concept)] += 1
    return found


def _case(
    edit: type[Edit],
    table: ConceptTable,
    rng: np.random.Generator,
    prompt: Prompt,
    held_out: Collection[Pair],
    pairs: str,
    used: Sequence[int] | None,
) -> Case | None:
    """Choose one candidate of this prompt, or None if it has none."""
    support = prompt.support(table)
    legal = [
        (old, new)
        for old, new in CANDIDATES[edit](table, support)
        if pairs == "any" or prompts.has_pair(_after(support, old, new), held_out) == (pairs == "unseen")
    ]
    if not legal:
        return None
    if used is not None:
        least = min(used[_either(new, old)] for old, new in legal)
        legal = [(old, new) for old, new in legal if used[_either(new, old)] == least]
    old, new = legal[int(rng.integers(len(legal)))]
    concept = table.concepts[_either(new, old)]
    names = [None if one is None else table.concepts[one].name for one in (old, new)]
    rewrite, seed = _rewrite(table, prompt, old, new), int(rng.integers(2**31))
    return Case(prompt, edit(str(concept)), rewrite, seed, concept.category, *names)


def _fits(case: Case, longest: int | None, apart_from: Collection[str]) -> bool:
    both = (case.prompt, case.rewrite)
    short = longest is None or max(prompts.length(one.text) for one in both) <= longest
    return short and not any(prompt.text in apart_from for prompt in both)


def _after(support: Sequence[int], old: int | None, new: int | None) -> list[int]:
    return [one for one in support if one != old] + ([] if new is None else [new])


def _either(first: int | None, second: int | None) -> int:
    one = second if first is None else first
    assert one is not None
    return one


def _rewrite(table: ConceptTable, prompt: Prompt, old: int | None, new: int | None) -> Prompt:
    if old is None:
        return prompts.append(table, prompt, _either(new, None))
    return prompts.delete(table, prompt, old) if new is None else prompts.rewrite(table, prompt, old, new)


class Answer(NamedTuple):
    """The conditioning that a dictionary gives for a case."""

    cond: Tensor
    pooled: Tensor
    refused: str
    """why the edit was refused (the conditioning is then the unedited one), or empty"""


def answer(dictionary: Dictionary, case: Case, cond: Tensor, pooled: Tensor) -> Answer:
    """Edit a case's conditioning (L, width) and (P,) from its rows alone, without the prompt's text."""
    try:
        made = apply(dictionary, cond, pooled, [case.edit])
    except ValueError as error:
        return Answer(cond, pooled, str(error))
    assert made.pooled is not None
    return Answer(made.cond, made.pooled, "")


def untouched(dictionary: Dictionary, case: Case, cond: Tensor, pooled: Tensor) -> bool:
    """Tell whether the case's edit at strength 0 returns the very same tensors; a refused one does."""
    asked = answer(dictionary, replace(case, edit=replace(case.edit, strength=0.0)), cond, pooled)
    return asked.cond is cond and asked.pooled is pooled


def encoded(host: TextHost, cases: Sequence[Case], conds: Sequence[Tensor], pooled: Sequence[Tensor]) -> list[Encoded]:
    """Return the cases' prompts as a capture would hold them, so that what is read can be held against the truth."""
    entries = [Entry(case.prompt, "test", host.counts(case.prompt.words)) for case in cases]
    return [Encoded(*row) for row in zip(entries, conds, pooled, strict=True)]
