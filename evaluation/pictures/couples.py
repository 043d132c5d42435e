"""Two people side by side, each worded in the same prompt: one of them is changed, and the other must not be."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...portraits import captions
from ...portraits.reader import SIDES, place
from ...supsae_core.editing.edits import Swap
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ..cases import TRIES, Case, World
from ..intervals import share
from ..outcomes import JudgedCase

SHARED = "background"
"""Category that two people have in common."""
MOST = 3
"""Phrases about a person, at most: the text encoders' longest prompt holds no more."""


def draw_couples(world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Draw swaps on one of two people, who both have a value of the category, worded and different.

    Raises:
        ValueError: if no such case can be drawn from the table.
    """
    found: list[Case] = []
    for _ in range(count):
        case = next((one for one in (_try(world, rng) for _ in range(TRIES)) if one), None)
        if case is None:
            raise ValueError("No prompt of two people can be drawn: the table has no category with three values.")
        found.append(case)
    return found


def _try(world: World, rng: np.random.Generator) -> Case | None:
    table = world.table
    own = {name: members for name, members in table.categories.items() if name != SHARED}
    wide = [name for name, members in own.items() if len(members) > 2]
    if not wide:
        return None
    category = str(rng.choice(wide))
    left, right, new = (int(one) for one in rng.choice(own[category], 3, replace=False))
    said = [_company(table, own, category, rng) for _ in SIDES]
    for person, concept in zip(said, (left, right), strict=True):
        person.insert(int(rng.integers(len(person) + 1)), concept)
    turned, asked = bool(rng.random() < 0.3), int(rng.integers(2))
    phrases = [[_phrase(table, one, rng) for one in person] for person in said]
    prompt = captions.caption_of_two(table, phrases, rng, turned=turned)
    order = (1, 0) if turned else (0, 1)
    places = tuple(place(SIDES[who], table.concepts[one].category) for who in order for one in said[who])
    goal = place(SIDES[asked], category)
    rewrite = prompts.replace_mention(table, prompt, places.index(goal), table.first_phrase[new])
    edit = Swap(str(table.concepts[new]), occurrence=1 + order.index(asked))
    wanted = {goal: table.concepts[new].name}
    support = prompt.support(table), rewrite.support(table)
    case = Case(prompt, (edit,), rewrite, int(rng.integers(2**31)), wanted, *support, places)
    return case if world.is_short(case) else None


def _phrase(table: ConceptTable, concept: int, rng: np.random.Generator) -> int:
    return table.first_phrase[concept] + int(rng.integers(len(table.concepts[concept].phrases)))


def _company(table: ConceptTable, own: dict[str, Any], category: str, rng: np.random.Generator) -> list[int]:
    """Draw what else is said of a person."""
    others = [name for name in own if name != category]
    chosen = rng.choice(others, min(int(rng.integers(MOST)), len(others)), replace=False)
    return [int(rng.choice(own[str(name)])) for name in chosen]


def other_kept(found: Sequence[JudgedCase]) -> dict[str, Any]:
    """Return how often the other person stayed as it was: in the category asked for, and in everything."""
    same, whole = [], []
    for one in found:
        (goal,) = one.case.wanted
        side, category = goal.split(" ", 1)
        other = SIDES[1 - SIDES.index(side)]
        kept = {name: value for name, value in one.outcome.kept.items() if name.startswith(other)}
        same.append(kept[place(other, category)])
        whole.append(all(kept.values()))
    return {"other_same_category": share(same).json(), "other_kept": share(whole).json()}
