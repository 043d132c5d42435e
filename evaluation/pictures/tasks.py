"""What the scoreboard asks for: edits of prompts, the rewrite each is held against, and the splits they come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...portraits import captions
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.editing.edits import Add, Edit, Remove, Swap
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Mention, Pair, Prompt
from ..cases import TRIES, Case, draw_cases

MOST = 5
"""Edits at once, at most."""
FILLERS = 0.5
"""Chance of a filler after a phrase in the shuffled split; prompts to fit on have 0.15."""


class Task(NamedTuple):
    """Edits of one prompt, made together."""

    prompt: Prompt
    edits: tuple[Edit, ...]
    rewrite: Prompt
    """the same words with the phrases replaced, deleted or written behind"""
    seed: int
    """of the pictures"""
    wanted: Mapping[str, str | None]
    """category asked for → value to be read; None: whatever the rewrite's picture shows"""
    before: tuple[int, ...]
    """concepts that the prompt says, in order of writing"""
    after: tuple[int, ...]
    """concepts that the rewrite says"""


@dataclass(frozen=True)
class World:
    """What tasks are drawn from, and what they stay apart from."""

    table: ConceptTable
    held_out: frozenset[Pair]
    """pairs that fitting never saw together"""
    texts: frozenset[str]
    """prompts that were fitted or calibrated on"""
    supports: tuple[frozenset[int], ...]
    """sets of concepts that the fitted prompts say"""

    @classmethod
    def of(cls, plan: TextPlan) -> World:
        """Return the world of a capture."""
        fitted = [frozenset(entry.prompt.support(plan.table)) for entry in plan.entries if entry.set == "fit"]
        return cls(
            plan.table,
            frozenset(frozenset(pair) for pair in plan.held_out),
            frozenset(entry.prompt.text for entry in plan.entries),
            tuple(fitted),
        )


def of_case(table: ConceptTable, case: Case) -> Task:
    """Return a case as a task of one edit."""
    supports = (case.prompt.support(table), case.rewrite.support(table))
    return Task(case.prompt, (case.edit,), case.rewrite, case.seed, {case.category: case.wanted}, *supports)


# --- splits --------------------------------------------------------------------------------------------------------


def unseen_pairs(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into a value that stood beside another one of the prompt in no fitted prompt."""
    return _drawn(world, Swap, "unseen", count, rng)


def any_pairs(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into any value: the headline of a dictionary that held no pairs out."""
    return _drawn(world, Swap, "any", count, rng)


def seen_tuples(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into exactly the set of concepts that a fitted prompt says."""
    return list(_take(count, "seen tuples", _into_seen(world, rng)))


def _into_seen(world: World, rng: np.random.Generator) -> Iterator[Task | None]:
    table = world.table
    while True:
        goal = world.supports[int(rng.integers(len(world.supports)))]
        new = int(rng.choice(sorted(goal))) if goal else -1
        others = [one for one in table.categories[table.concepts[new].category] if one != new] if goal else []
        if not others:
            yield None
            continue
        old = int(rng.choice(others))
        support = [old if one == new else one for one in sorted(goal)]
        if prompts.has_pair(support, world.held_out):
            yield None
            continue
        prompt = prompts.draw_prompt(table, rng, wording=captions.WORDING, mention=0.0, require=support)
        yield _fitting(world, swap_all(table, prompt, [(old, new)], int(rng.integers(2**31))))


def unseen_tuples(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into a set of concepts that no fitted prompt says, though it says every pair of it."""
    known = set(world.supports)
    drawn = (_drawn(world, Swap, "seen", 1, rng)[0] for _ in range(TRIES))
    return list(_take(count, "unseen tuples", (one if set(one.after) not in known else None for one in drawn)))


def shuffled(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into unseen pairs in prompts of another order, with fillers between most phrases."""
    wording = replace(captions.WORDING, filler_rate=FILLERS)
    return list(_take(count, "shuffled", _shuffled(world, rng, wording)))


def _shuffled(world: World, rng: np.random.Generator, wording: prompts.Wording) -> Iterator[Task | None]:
    while True:
        task = _drawn(world, Swap, "unseen" if world.held_out else "any", 1, rng)[0]
        prompt = prompts.draw_prompt(world.table, rng, wording=wording, mention=0.0, require=task.before[::-1])
        ((old, new),) = _swapped(task)
        yield _fitting(world, swap_all(world.table, prompt, [(old, new)], task.seed))


def unmentioned(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Add a value of a category that the prompt leaves open, into an unseen pair."""
    return _drawn(world, Add, "unseen" if world.held_out else "any", count, rng)


def removal(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Remove a concept that the prompt says."""
    return _drawn(world, Remove, "any", count, rng)


def paraphrased(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into unseen pairs where another concept is worded as the dictionary never saw it."""
    return list(_take(count, "paraphrased", _paraphrased(world, rng, edited=False)))


def paraphrased_itself(world: World, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into unseen pairs where the very words to be changed are ones that the dictionary never saw."""
    return list(_take(count, "paraphrased itself", _paraphrased(world, rng, edited=True)))


def _paraphrased(world: World, rng: np.random.Generator, *, edited: bool) -> Iterator[Task | None]:
    table = world.table
    while True:
        task = _drawn(world, Swap, "unseen" if world.held_out else "any", 1, rng)[0]
        ((old, new),) = _swapped(task)
        prompt = task.prompt
        for concept in task.before:
            if str(table.concepts[concept]) in captions.PARAPHRASES and (concept == old) == edited:
                prompt = reworded(table, prompt, concept, captions.PARAPHRASES[str(table.concepts[concept])][0])
        changed = prompt.text != task.prompt.text
        yield _fitting(world, swap_all(table, prompt, [(old, new)], task.seed)) if changed else None


def reworded(table: ConceptTable, prompt: Prompt, concept: int, words: str) -> Prompt:
    """Say a concept of the prompt in other words; its mention keeps the phrase that it stands for."""
    at = next(i for i, m in enumerate(prompt.mentions) if table.phrases[m.phrase].concept == concept)
    mention, written = prompt.mentions[at], words.split()
    last = prompt.words[mention.stop - 1]
    written[-1] += last[len(prompts.trim(last)) :]
    shift = len(written) - (mention.stop - mention.start)
    later = [Mention(m.phrase, m.start + shift, m.stop + shift) for m in prompt.mentions[at + 1 :]]
    own = Mention(mention.phrase, mention.start, mention.stop + shift)
    all_words = (*prompt.words[: mention.start], *written, *prompt.words[mention.stop :])
    return Prompt(all_words, (*prompt.mentions[:at], own, *later))


def several(world: World, count: int, rng: np.random.Generator) -> list[tuple[Task, ...]]:
    """Draw prompts with 1, 2 … ``MOST`` swaps each: every task makes one swap more than the one before it."""
    return list(_take(count, "several edits", _nested(world, rng)))


def _nested(world: World, rng: np.random.Generator) -> Iterator[tuple[Task, ...] | None]:
    table = world.table
    while True:
        prompt = prompts.draw_prompt(table, rng, wording=captions.WORDING, held_out=world.held_out)
        said = [one for one in prompt.support(table) if len(table.categories[table.concepts[one].category]) > 1]
        if len(said) < MOST:
            yield None
            continue
        chosen = [int(one) for one in rng.choice(said, MOST, replace=False)]
        members = [[m for m in table.categories[table.concepts[old].category] if m != old] for old in chosen]
        swaps = [(old, int(rng.choice(some))) for old, some in zip(chosen, members, strict=True)]
        seed = int(rng.integers(2**31))
        tasks = [_fitting(world, swap_all(table, prompt, swaps[: n + 1], seed)) for n in range(MOST)]
        kept = tuple(task for task in tasks if task)
        yield kept if len(kept) == MOST else None


def wanting(world: World, concept: str, count: int, rng: np.random.Generator) -> list[Task]:
    """Swap into one concept, whatever the prompts say beside it."""
    drawn = (_drawn(world, Swap, "any", 1, rng)[0] for _ in range(TRIES))
    return list(_take(count, concept, (one if one.edits[0].concept == concept else None for one in drawn)))


def swap_all(table: ConceptTable, prompt: Prompt, swaps: Collection[tuple[int, int]], seed: int) -> Task:
    """Return the task of swapping concepts (old, new) of a prompt, all at once."""
    rewrite = prompt
    for old, new in swaps:
        rewrite = prompts.rewrite(table, rewrite, old, new)
    news = [table.concepts[new] for _, new in swaps]
    wanted = {concept.category: concept.name for concept in news}
    edits = tuple(Swap(str(concept)) for concept in news)
    return Task(prompt, edits, rewrite, seed, wanted, prompt.support(table), rewrite.support(table))


def _swapped(task: Task) -> list[tuple[int, int]]:
    return [(old, new) for old, new in zip(task.before, task.after, strict=True) if old != new]


def _drawn(world: World, edit: type[Edit], pairs: str, count: int, rng: np.random.Generator) -> list[Task]:
    drawn = draw_cases(
        edit, world.table, count, rng, held_out=world.held_out, pairs=pairs, wording=captions.WORDING,
        longest=captions.LONGEST, apart_from=world.texts,
    )  # fmt: skip
    return [of_case(world.table, case) for case in drawn]


def _fitting(world: World, task: Task) -> Task | None:
    """Return the task if both of its texts fit the encoders and its prompt was not learnt from."""
    short = all(prompts.length(one.text) <= captions.LONGEST for one in (task.prompt, task.rewrite))
    return task if short and task.prompt.text not in world.texts else None


def _take(count: int, name: str, drawn: Iterator) -> Iterator:
    for _ in range(count):
        found = next((one for _, one in zip(range(TRIES), drawn, strict=False) if one is not None), None)
        if found is None:
            raise ValueError(f"No task of the split {name!r} can be drawn from this table.")
        yield found


SPLITS: dict[str, Callable[[World, int, np.random.Generator], list[Task]]] = {
    "unseen pairs": unseen_pairs,
    "any pairs": any_pairs,
    "seen tuples": seen_tuples,
    "unseen tuples": unseen_tuples,
    "shuffled": shuffled,
    "unmentioned": unmentioned,
    "paraphrased company": paraphrased,
    "paraphrased itself": paraphrased_itself,
    "removal": removal,
}
"""Split → how its tasks are drawn. The place in this table is part of the seed: new splits go to the end."""


def draw(split: str, world: World, count: int, seed: int) -> list[Task]:
    """Draw the tasks of a split; the same arguments give the same ones.

    Raises:
        ValueError: if the table or the pairs held out allow none.
    """
    return SPLITS[split](world, count, np.random.default_rng((seed, list(SPLITS).index(split))))
