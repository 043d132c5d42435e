"""How often concepts are seen over many seeds of a prompt, before and after edits: counts, sentences and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..drawing.pairs import Half, PicturePair, pairs
from ..portraits.compare import can_name, factor
from ..portraits.reader import UNREADABLE
from ..supsae_core.editing.between import Between
from ..supsae_core.editing.edits import AnyEdit, Clear, Keep, OfCategory, Remove, Scale, aim
from ..supsae_core.table.concepts import ConceptTable
from .intervals import Interval, share
from .outcomes import Read


class AskedConcept(NamedTuple):
    """A concept that edits are about."""

    concept: str
    """such as ``hair: red``"""
    wanted: bool | None
    """whether the edits want it in the picture; None if they ask for more or less of it, or for a middle"""
    named: bool = True
    """whether whoever reads the pictures has a name for it"""


class Seen(NamedTuple):
    """One seed's two pictures as they were read."""

    seed: int
    before: Read
    after: Read


def asked_of(table: ConceptTable, edits: Sequence[AnyEdit], said: Sequence[int]) -> list[AskedConcept]:
    """Return the concepts that edits are about.

    Args:
        said: concepts that the prompt says, for what is asked of a whole category.
    """
    found = dict[str, AskedConcept]()
    for edit in edits:
        for one in _asked(table, edit, said):
            found[one.concept] = one._replace(named=can_name(one.concept))
    return list(found.values())


def _asked(table: ConceptTable, edit: AnyEdit, said: Sequence[int]) -> list[AskedConcept]:
    if isinstance(edit, Keep):
        return []
    if isinstance(edit, OfCategory):
        members = aim(table, edit).members
        wanted = False if isinstance(edit, Clear) and edit.strength > 0 else None
        return [AskedConcept(str(table.concepts[one]), wanted) for one in said if one in members]
    name = str(table.concepts[table.index(edit.concept)])
    if isinstance(edit, Between):
        upper = str(table.concepts[table.index(edit.other)])
        return [
            AskedConcept(name, True if edit.strength < 0 else None),
            AskedConcept(upper, True if edit.strength > 0 else None),
        ]
    if isinstance(edit, Scale) or not edit.strength:
        return [AskedConcept(name, None)]
    return [AskedConcept(name, (edit.strength > 0) != isinstance(edit, Remove))]


def shows(read: Read, concept: str) -> bool:
    """Tell whether a picture shows a concept; of two people one is enough, and what is unreadable does not."""
    category, _, value = concept.partition(": ")
    return any(factor(place) == category and seen == value for place, seen in read.items())


def is_right(read: Read, asked: Sequence[AskedConcept]) -> bool | None:
    """Tell whether a picture is as the edits want it; None if nothing they want has a name for the reader.

    What is unreadable is not as anybody wants it: there may be what was to go.
    """
    judged = [one for one in asked if one.wanted is not None and one.named]
    told = [shows(read, one.concept) == one.wanted and UNREADABLE not in _of(read, [one]).values() for one in judged]
    return all(told) if told else None


def values(read: Read, asked: Sequence[AskedConcept]) -> str:
    """Return what is read of the categories that are asked about."""
    return ", ".join(_of(read, asked).values())


def _of(read: Read, asked: Sequence[AskedConcept]) -> dict[str, str]:
    """Return what is read of the categories of some concepts, place by place."""
    categories = {one.concept.partition(": ")[0] for one in asked}
    return {place: value for place, value in read.items() if factor(place) in categories}


def tell(seen: Sequence[Seen], asked: Sequence[AskedConcept]) -> str:
    """Say how often each concept is seen before and after, with which seeds not as asked, and what else changed."""
    lines = [_counted(seen, one) for one in asked]
    judged = [(one.seed, is_right(one.after, asked)) for one in seen]
    if judged[0][1] is not None:
        lines += _as_asked([(seed, bool(right)) for seed, right in judged])
        if not all(one.named for one in asked):
            lines.append("That is about what the reader has a name for alone.")
    return "\n".join([*lines, *_beside(seen, asked)])


def _counted(seen: Sequence[Seen], asked: AskedConcept) -> str:
    concept = asked.concept
    if not asked.named:
        return f"{concept}: the reader has no name for it. Judge with your own eyes."
    before = [shows(one.before, concept) for one in seen]
    after = [shows(one.after, concept) for one in seen]
    return (
        f"{concept} in {sum(before):d} of {len(seen):d} pictures before ({_reach(share(before))}), "
        f"in {sum(after):d} of {len(seen):d} after ({_reach(share(after))})."
    )


def _reach(found: Interval) -> str:
    return f"{found.low:.0%} … {found.high:.0%}"


def _as_asked(judged: Sequence[tuple[int, bool]]) -> list[str]:
    rights = [right for _, right in judged]
    told = [f"As asked in {sum(rights):d} of {len(rights):d} pictures ({_reach(share(rights))})."]
    failed = [str(seed) for seed, right in judged if not right]
    return [*told, f"Not with these seeds: {', '.join(failed)}."] if failed else told


def _beside(seen: Sequence[Seen], asked: Sequence[AskedConcept]) -> list[str]:
    """Say what else changed, if anything else is read at all."""
    about = _of(seen[0].before, asked)
    places = [place for place in seen[0].before if place not in about]
    counts = {place: sum(one.before[place] != one.after[place] for one in seen) for place in places}
    moved = [f"{place} {count}" for place, count in counts.items() if count]
    if not moved:
        return ["Nothing else reads differently after the edit."] if places else []
    return [f"What else reads differently after the edit, in how many of {len(seen):d} pictures: {', '.join(moved)}."]


def by_seed(seen: Sequence[Seen], asked: Sequence[AskedConcept]) -> str:
    """Return a line a seed: what is read of what was asked, whether that is as asked, and what else changed."""
    return "\n".join(_line(one, asked) for one in seen)


def _line(one: Seen, asked: Sequence[AskedConcept]) -> str:
    about = _of(one.before, asked)
    verdict = {True: " (as asked)", False: " (not as asked)", None: ""}[is_right(one.after, asked)]
    told = ", ".join(f"{place} {value} → {one.after[place]}" for place, value in about.items()) + verdict
    others = [place for place, value in one.before.items() if place not in about and value != one.after[place]]
    moved = ", ".join(f"{place} {one.before[place]} → {one.after[place]}" for place in others)
    return f"seed {one.seed}: " + "; also ".join(part for part in (told, moved) if part)


def sheet(
    seeds: Sequence[int], shown: Sequence[tuple[np.ndarray, np.ndarray]], seen: Sequence[Seen],
    asked: Sequence[AskedConcept], title: str,
) -> Image.Image:  # fmt: skip
    """Draw every seed's two pictures, with what was read and whether that is asked; ``seen`` is empty if nobody read.

    Args:
        shown: as ``drawing.pairs.thumbnail`` makes them.
    """
    if not seen:
        return pairs(
            [PicturePair(f"seed {seed}", *map(Half, own)) for seed, own in zip(seeds, shown, strict=True)], title
        )
    made = []
    for one, (before, after) in zip(seen, shown, strict=True):
        halves = [
            Half(picture, values(read, asked), is_right(read, asked))
            for picture, read in ((before, one.before), (after, one.after))
        ]
        made.append(PicturePair(f"seed {one.seed}", *halves))
    return pairs(made, title)
