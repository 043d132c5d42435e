"""The edits that rows of text are judged by: swaps into seen and unseen pairs, of other lengths, adds, several …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...supsae_core.editing.edits import Add, Edit, Remove, Swap
from ...supsae_core.host import TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Prompt
from ..cases import Case, World, draw_cases
from ..pictures import splits
from .aligned import Mentions
from .cases import has_room
from .photographs import among_distractors

STREAM = 12
"""Part of the seed."""
TRIES = 400
"""Cases drawn for one that will do."""
MOST = splits.MOST
OF_TWO = "one of two mentions"
"""Split: a concept is said twice, and one of both is swapped."""


class Asked(NamedTuple):
    """One case, and where its phrases stand."""

    split: str
    case: Case
    mentions: Mentions

    def neighbours(self, table: ConceptTable) -> list[Prompt]:
        """Return other texts that an edit could come nearest to: the prompt, the rewrite with one phrase another."""
        made, rewrite = {self.case.prompt.text: self.case.prompt}, self.case.rewrite
        for at, old in enumerate(rewrite.support(table)):
            for new in table.categories[table.concepts[old].category]:
                if new != old:
                    one = prompts.replace_mention(table, rewrite, at, table.first_phrase[new])
                    made.setdefault(one.text, one)
        made.pop(rewrite.text, None)
        return [one for one in made.values() if len(one.mentions) == len(rewrite.mentions)]


@dataclass(frozen=True)
class Counts:
    """How many cases of each kind are drawn."""

    swaps: int
    """of seen pairs and as many of unseen ones; half of each between phrases of other token lengths"""
    others: int
    """adds, removes, swaps of one of two mentions, swaps among distractors: of each so many"""
    several: int
    """prompts with 1 … 5 swaps each"""


SIZES = {"quick": Counts(20, 6, 4), "medium": Counts(48, 24, 16), "full": Counts(80, 60, 60)}
"""Size of a run → cases."""


def draw_asked(world: World, host: TextHost, counts: Counts, seed: int) -> tuple[list[Asked], list[str]]:
    """Draw all cases, and say which kinds a table or an encoder does not allow."""
    rng, used = np.random.default_rng((seed, STREAM)), [0] * len(world.table)
    pads = all(encoder.layout.has_pads for encoder in host.family.encoders)
    drawn: dict[str, tuple[int, Callable[[], Case | None]]] = {}
    for pairs in ("seen", "unseen") if world.held_out else ("any",):
        drawn[f"{pairs} pairs"] = counts.swaps // 2, lambda p=pairs: _swap(world, host, rng, used, p, False)
        if pads:
            name = f"{pairs} pairs, other length"
            drawn[name] = counts.swaps // 2, lambda p=pairs: _swap(world, host, rng, used, p, True)
    if pads:
        for kind in (Add, Remove):
            name = f"{kind.__name__.lower()}s".replace("removes", "removals")
            drawn[name] = counts.others, lambda k=kind: draw_cases(k, world, 1, rng)[0]
    drawn[OF_TWO] = counts.others, lambda: _of_two(world, rng)
    among = replace(world, wording=among_distractors(world.table, world.wording))
    drawn["among distractors"] = counts.others, lambda: draw_cases(Swap, among, 1, rng)[0]
    found, notes = list[Asked](), list[str]()
    for split, (count, draw) in drawn.items():
        cases = list(_roomy(host, count, draw, pads))
        found += [Asked(split, case, mentions_of(world.table, case)) for case in cases]
        notes += [] if len(cases) == count else [f"Only {len(cases)} of {count} cases of “{split}” could be drawn."]
    some = list(_nested(world, host, counts.several, rng, pads))
    found += [Asked(f"{len(case.edits)} edits", case, mentions_of(world.table, case)) for one in some for case in one]
    return found, notes


def _roomy(host: TextHost, count: int, draw: Callable[[], Case | None], pads: bool) -> Iterator[Case]:
    for _ in range(count):
        for _ in range(TRIES):
            try:
                case = draw()
            except ValueError:  # the table allows none
                return
            if case is not None and _will_do(host, case, pads):
                yield case
                break


def _will_do(host: TextHost, case: Case, pads: bool) -> bool:
    return has_room(host, case) and (pads or same_lengths(host, case))


def same_lengths(host: TextHost, case: Case) -> bool:
    """Tell whether a case's two texts have equally many tokens in every encoder."""
    one, other = (host.counts(prompt.words) for prompt in (case.prompt, case.rewrite))
    return all(sum(one[name]) == sum(other[name]) for name in one)


def _swap(
    world: World, host: TextHost, rng: np.random.Generator, used: list[int], pairs: str, longer: bool
) -> Case | None:
    before = list(used)
    case = draw_cases(Swap, world, 1, rng, pairs=pairs, used=used)[0]
    if same_lengths(host, case) == longer or not has_room(host, case):
        used[:] = before
        return None
    return case


def _of_two(world: World, rng: np.random.Generator) -> Case | None:
    """Say a concept twice and swap one of both."""
    table, case = world.table, draw_cases(Swap, world, 1, rng)[0]
    (old, new), place = _first_change(case), int(rng.integers(2))
    own = [at for at, phrase in enumerate(table.phrases) if phrase.concept == old]
    prompt = prompts.write_behind(table, case.prompt, int(rng.choice(own)))
    at = [case.before.index(old), len(prompt.mentions) - 1][place]
    rewrite = prompts.replace_mention(table, prompt, at, table.first_phrase[new])
    edit: Edit = Swap(str(table.concepts[new]), occurrence=place + 1)
    return Case(prompt, (edit,), rewrite, case.seed, case.wanted, prompt.support(table), rewrite.support(table))


def _first_change(case: Case) -> tuple[int, int]:
    return next((a, b) for a, b in zip(case.before, case.after, strict=True) if a != b)


def _nested(
    world: World, host: TextHost, count: int, rng: np.random.Generator, pads: bool
) -> Iterator[tuple[Case, ...]]:
    for _ in range(count):
        for _ in range(TRIES):
            try:
                (cases,) = splits.several(world, 1, rng)
            except ValueError:  # fewer categories than edits
                return
            if all(_will_do(host, case, pads) for case in cases):
                yield cases
                break


def mentions_of(table: ConceptTable, case: Case) -> Mentions:
    """Return which mentions of a case's prompt and its rewrite stand for one another.

    They stand in the order of the edits, which take pads in that order, and then of writing.
    """
    one, other = case.prompt.mentions, case.rewrite.mentions
    asked = [table.index(edit.concept) for edit in case.edits]
    order = {concept: place for place, concept in enumerate(asked)}
    both = [(at, at) for at in range(min(len(one), len(other)))]
    if len(one) == len(other):
        both.sort(key=lambda pair: order.get(case.after[pair[1]], len(order)))
    if len(one) < len(other):
        return [*both, (None, len(one))]
    if len(one) == len(other):
        return both
    gone = next((at for at in range(len(other)) if one[at].phrase != other[at].phrase), len(other))
    return [(at, None if at == gone else at - (at > gone)) for at in range(len(one))]
