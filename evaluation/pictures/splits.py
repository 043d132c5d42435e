"""The splits that pictures are judged in: what kind of prompt, and what kind of edit of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ...portraits import captions
from ...supsae_core.editing.edits import Add, Remove, Swap
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ..cases import TRIES, Case, World, draw_cases, make_case, replaced, reworded

MOST = 5
"""Edits at once, at most."""
FILLERS = 0.5
"""Chance of a filler after a phrase in the shuffled split; prompts to fit on have 0.15."""
Drawn = TypeVar("Drawn")


def unseen_pairs(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into a value that stood beside another one of the prompt in no fitted prompt."""
    return draw_cases(Swap, world, count, rng, pairs="unseen")


def any_pairs(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into any value: the headline of a dictionary that held no pairs out."""
    return draw_cases(Swap, world, count, rng)


def seen_tuples(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into exactly the set of concepts that a fitted prompt says."""
    return _take(count, "seen tuples", _into_seen(world, rng))


def _into_seen(world: World, rng: np.random.Generator) -> Iterator[Case | None]:
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
        prompt = prompts.draw_prompt(table, rng, wording=world.wording, mention=0.0, require=support)
        yield _fitting(world, make_case(table, prompt, [(old, new)], int(rng.integers(2**31))))


def unseen_tuples(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into a set of concepts that no fitted prompt says, though it says every pair of it."""
    known = set(world.supports)
    drawn = (draw_cases(Swap, world, 1, rng, pairs="seen")[0] for _ in range(TRIES))
    return _take(count, "unseen tuples", (one if set(one.after) not in known else None for one in drawn))


def shuffled(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into unseen pairs in prompts of another order, with fillers between most phrases."""
    wording = replace(world.wording, filler_rate=FILLERS)
    return _take(count, "shuffled", _shuffled(world, rng, wording))


def _shuffled(world: World, rng: np.random.Generator, wording: prompts.Wording) -> Iterator[Case | None]:
    while True:
        case = draw_cases(Swap, world, 1, rng, pairs=world.pairs)[0]
        prompt = prompts.draw_prompt(world.table, rng, wording=wording, mention=0.0, require=case.before[::-1])
        yield _fitting(world, make_case(world.table, prompt, replaced(case.before, case.after), case.seed))


def unmentioned(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Add a value of a category that the prompt leaves open, into an unseen pair."""
    return draw_cases(Add, world, count, rng, pairs=world.pairs)


def removal(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Remove a concept that the prompt says."""
    return draw_cases(Remove, world, count, rng)


def paraphrased(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into unseen pairs where another concept is worded as the dictionary never saw it."""
    return _take(count, "paraphrased", _paraphrased(world, rng, edited=False))


def paraphrased_itself(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into unseen pairs where the very words to be changed are ones that the dictionary never saw."""
    return _take(count, "paraphrased itself", _paraphrased(world, rng, edited=True))


def _paraphrased(world: World, rng: np.random.Generator, *, edited: bool) -> Iterator[Case | None]:
    table = world.table
    while True:
        case = draw_cases(Swap, world, 1, rng, pairs=world.pairs)[0]
        ((old, new),) = replaced(case.before, case.after)
        prompt = case.prompt
        for concept in case.before:
            if str(table.concepts[concept]) in captions.PARAPHRASES and (concept == old) == edited:
                prompt = reworded(table, prompt, concept, captions.PARAPHRASES[str(table.concepts[concept])][0])
        changed = prompt.text != case.prompt.text
        yield _fitting(world, make_case(table, prompt, [(old, new)], case.seed)) if changed else None


def several(world: World, count: int, rng: np.random.Generator) -> list[tuple[Case, ...]]:
    """Draw prompts with 1, 2 … ``MOST`` swaps each: every case makes one swap more than the one before it."""
    return _take(count, "several edits", _nested(world, rng))


def _nested(world: World, rng: np.random.Generator) -> Iterator[tuple[Case, ...] | None]:
    table = world.table
    while True:
        prompt = prompts.draw_prompt(table, rng, wording=world.wording, held_out=world.held_out)
        said = [one for one in prompt.support(table) if len(table.categories[table.concepts[one].category]) > 1]
        if len(said) < MOST:
            yield None
            continue
        chosen = [int(one) for one in rng.choice(said, MOST, replace=False)]
        swaps = [(old, _another(table, old, rng)) for old in chosen]
        seed = int(rng.integers(2**31))
        cases = [_fitting(world, make_case(table, prompt, swaps[: n + 1], seed)) for n in range(MOST)]
        kept = tuple(case for case in cases if case)
        yield kept if len(kept) == MOST else None


def _another(table: ConceptTable, old: int, rng: np.random.Generator) -> int:
    members = table.categories[table.concepts[old].category]
    return int(rng.choice([one for one in members if one != old]))


def wanting(world: World, concept: str, count: int, rng: np.random.Generator) -> list[Case]:
    """Swap into one concept, whatever the prompts say beside it."""
    drawn = (draw_cases(Swap, world, 1, rng)[0] for _ in range(TRIES))
    return _take(count, concept, (one if one.edits[0].concept == concept else None for one in drawn))


def _fitting(world: World, case: Case) -> Case | None:
    """Return the case if both of its texts fit the encoders and its prompt was not learnt from."""
    return case if world.is_short(case) and case.prompt.text not in world.texts else None


def _take(count: int, name: str, drawn: Iterator[Drawn | None]) -> list[Drawn]:
    """Return the first cases of a row of tries, None where one failed."""
    made = []
    for _ in range(count):
        found = next((one for _, one in zip(range(TRIES), drawn, strict=False) if one is not None), None)
        if found is None:
            raise ValueError(f"No case of the split {name!r} can be drawn from this table.")
        made.append(found)
    return made


SPLITS: dict[str, Callable[[World, int, np.random.Generator], list[Case]]] = {
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
"""Split → how its cases are drawn. The place in this table is part of the seed: new splits go to the end."""


def draw(split: str, world: World, count: int, seed: int) -> list[Case]:
    """Draw the cases of a split; the same arguments give the same ones.

    Raises:
        ValueError: if the table or the pairs held out allow none.
    """
    return SPLITS[split](world, count, np.random.default_rng((seed, list(SPLITS).index(split))))
