"""Cases to judge an edit on: a prompt, edits of it, and the prompt rewrite that they are held against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from torch import Tensor

from ..portraits import captions
from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing.apply import apply
from ..supsae_core.editing.edits import Add, Edit, Remove, Swap, scaled
from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable, trim
from ..supsae_core.table.prompts import PLAIN, Mention, Pair, Prompt, Wording

TRIES = 20000
"""Prompts drawn for one case before giving up."""
PAIRS = ("unseen", "seen", "any")
Replacement = tuple[int | None, int | None]
"""(concept that goes, concept that comes); None for none"""


@dataclass(frozen=True)
class Case:
    """Edits of one prompt, made together, and the prompt rewrite that they are held against."""

    prompt: Prompt
    edits: tuple[Edit, ...]
    rewrite: Prompt
    """the same words with the phrases replaced, deleted or written behind"""
    seed: int
    """of the pictures"""
    wanted: Mapping[str, str | None] = field(hash=False)
    """category asked for → value to be read; None after a removal: whatever the rewrite's picture shows"""
    before: tuple[int, ...]
    """concepts that the prompt says, in order of writing"""
    after: tuple[int, ...]
    """concepts that the rewrite says"""
    places: tuple[str, ...] = ()
    """where a picture of two people shows what the prompt says, in order of writing; of one person the category"""

    def said(self, table: ConceptTable) -> set[str]:
        """Return what the prompt speaks of, as a picture's readings name it."""
        return set(self.places) or {table.concepts[index].category for index in self.before}

    @property
    def title(self) -> str:
        """The edits in words."""
        return ", ".join(f"{type(edit).__name__.lower()} {edit.concept}" for edit in self.edits)


@dataclass(frozen=True)
class World:
    """What cases are drawn from, and what they stay apart from."""

    table: ConceptTable
    held_out: frozenset[Pair] = frozenset()
    """pairs that fitting never saw together; no case's prompt holds one"""
    texts: frozenset[str] = frozenset()
    """prompts that were fitted or calibrated on: no case's prompt or rewrite is one"""
    supports: tuple[frozenset[int], ...] = ()
    """sets of concepts that the fitted prompts say"""
    wording: Wording = PLAIN
    mention: float = 0.75
    """chance that a category is mentioned"""
    longest: int | None = None
    """most words and punctuation marks in a prompt or its rewrite"""

    @classmethod
    def of(cls, plan: TextPlan) -> Self:
        """Return the world of a capture of Portraits."""
        fitted = [entry.prompt.support(plan.table) for entry in plan.entries if entry.set == "fit"]
        return cls(
            plan.table,
            frozenset(frozenset(pair) for pair in plan.held_out),
            frozenset(entry.prompt.text for entry in plan.entries),
            tuple(frozenset(support) for support in fitted),
            captions.PLAIN,
            longest=captions.LONGEST,
        )

    @property
    def pairs(self) -> str:
        """The hardest kind of pairs that cases can be drawn with."""
        return "unseen" if self.held_out else "any"

    def is_short(self, case: Case) -> bool:
        """Tell whether both of a case's texts are short enough."""
        longest = max(prompts.length(one.text) for one in (case.prompt, case.rewrite))
        return self.longest is None or longest <= self.longest


def _swaps(table: ConceptTable, support: Sequence[int]) -> list[Replacement]:
    members = table.categories
    return [(old, new) for old in support for new in members[table.concepts[old].category] if new != old]


def _adds(table: ConceptTable, support: Sequence[int]) -> list[Replacement]:
    said = {table.concepts[one].category for one in support}
    return [(None, new) for new, concept in enumerate(table.concepts) if concept.category not in said]


def _removes(table: ConceptTable, support: Sequence[int]) -> list[Replacement]:
    return [(old, None) for old in support]


CANDIDATES: dict[type[Edit], Callable[[ConceptTable, Sequence[int]], list[Replacement]]] = {
    Swap: _swaps,
    Add: _adds,
    Remove: _removes,
}
"""Edit → (table, what a prompt says) → the changes that could be asked for."""


def draw_cases(
    edit: type[Edit],
    world: World,
    count: int,
    rng: np.random.Generator,
    *,
    pairs: str = "any",
    used: list[int] | None = None,
) -> list[Case]:
    """Draw cases of one edit each.

    Args:
        edit: ``Swap``, ``Add`` or ``Remove``.
        pairs: ``unseen``: the new concept forms a held-out pair with another concept of the prompt; ``seen``: it forms
            none; ``any``.
        used: how often each concept was asked for so far; of a prompt's candidates the rarest is then taken, and the
            counts brought up to date, so that few cases ask for all.

    Raises:
        ValueError: if no such case can be drawn from the table and the pairs.
    """
    if pairs not in PAIRS:
        raise ValueError(f"There is no kind of pairs {pairs!r}. Kinds are: {', '.join(PAIRS)}.")
    found: list[Case] = []
    for _ in range(count):
        tries = (_try(edit, world, rng, pairs, used) for _ in range(TRIES))
        case = next((one for one in tries if one), None)
        if case is None:
            raise ValueError(
                f"No {edit.__name__.lower()!r} with {pairs} pairs can be drawn with {len(world.held_out)} pairs held "
                "out."
            )
        found.append(case)
        if used is not None:
            used[world.table.index(case.edits[0].concept)] += 1
    return found


def _try(
    edit: type[Edit], world: World, rng: np.random.Generator, pairs: str, used: Sequence[int] | None
) -> Case | None:
    """Draw a prompt and choose one of its candidates; None if it has none, or a text of the case will not do."""
    table = world.table
    prompt = prompts.draw_prompt(table, rng, wording=world.wording, mention=world.mention, held_out=world.held_out)
    support = prompt.support(table)
    legal = CANDIDATES[edit](table, support)
    if pairs != "any":
        legal = [one for one in legal if _is_unseen(world, support, one) == (pairs == "unseen")]
    if not legal:
        return None
    if used is not None:
        least = min(used[_asked(change)] for change in legal)
        legal = [change for change in legal if used[_asked(change)] == least]
    change = legal[int(rng.integers(len(legal)))]
    case = make_case(table, prompt, [change], int(rng.integers(2**31)))
    known = any(one.text in world.texts for one in (case.prompt, case.rewrite))
    return case if world.is_short(case) and not known else None


def _is_unseen(world: World, support: Sequence[int], change: Replacement) -> bool:
    old, new = change
    after = [one for one in support if one != old] + ([] if new is None else [new])
    return prompts.has_pair(after, world.held_out)


def _asked(change: Replacement) -> int:
    """Return the concept that an edit names: the one that comes, or the one that goes."""
    old, new = change
    concept = old if new is None else new
    assert concept is not None
    return concept


def replaced(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]]:
    """Return (concept that goes, concept that comes) of what two prompts say in the same order."""
    return [(old, new) for old, new in zip(before, after, strict=True) if old != new]


def reworded(table: ConceptTable, prompt: Prompt, concept: int, words: str) -> Prompt:
    """Say a concept of the prompt in other words; its mention keeps the phrase that it stands for."""
    at = next(i for i, m in enumerate(prompt.mentions) if table.phrases[m.phrase].concept == concept)
    mention, written = prompt.mentions[at], words.split()
    last = prompt.words[mention.stop - 1]
    written[-1] += last[len(trim(last)) :]
    shift = len(written) - (mention.stop - mention.start)
    later = [Mention(m.phrase, m.start + shift, m.stop + shift) for m in prompt.mentions[at + 1 :]]
    own = Mention(mention.phrase, mention.start, mention.stop + shift)
    all_words = (*prompt.words[: mention.start], *written, *prompt.words[mention.stop :])
    return Prompt(all_words, (*prompt.mentions[:at], own, *later))


def make_case(table: ConceptTable, prompt: Prompt, changes: Sequence[Replacement], seed: int) -> Case:
    """Return the case of changing concepts of a prompt, all at once."""
    rewrite, edits, wanted = prompt, list[Edit](), dict[str, str | None]()
    for old, new in changes:
        concept = table.concepts[_asked((old, new))]
        if old is None:
            rewrite, kind = prompts.append(table, rewrite, _asked((old, new))), Add
        elif new is None:
            rewrite, kind = prompts.delete(table, rewrite, old), Remove
        else:
            rewrite, kind = prompts.rewrite(table, rewrite, old, new), Swap
        edits.append(kind(str(concept)))
        wanted[concept.category] = None if new is None else concept.name
    return Case(prompt, tuple(edits), rewrite, seed, wanted, prompt.support(table), rewrite.support(table))


class Answer(NamedTuple):
    """The conditioning that a dictionary gives for a case."""

    cond: Tensor
    pooled: Tensor
    refused: str = ""
    """why the edit was refused (the conditioning is then the unedited one), or empty"""


def answer(dictionary: Dictionary, case: Case, cond: Tensor, pooled: Tensor, strength: float = 1.0) -> Answer:
    """Edit a case's conditioning (L, width) and (P,) from its rows alone, without the prompt's text."""
    try:
        made = apply(dictionary, cond, pooled, [scaled(edit, strength) for edit in case.edits])
    except ValueError as error:
        return Answer(cond, pooled, str(error))
    return Answer(made.cond, pooled if made.pooled is None else made.pooled)


def is_untouched(dictionary: Dictionary, case: Case, cond: Tensor, pooled: Tensor) -> bool:
    """Tell whether the case's edits at strength 0 return the very same tensors; refused ones do."""
    made = answer(dictionary, case, cond, pooled, 0.0)
    return made.cond is cond and made.pooled is pooled
