"""Cases drawn and judged in many ways: methods, gallery and readers in one hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ...portraits.pen import SIZE
from ...portraits.reader import read_people
from ...supsae_core.dictionary.model import Dictionary
from ...training import distributed
from ..cases import Case, World, make_case, replaced
from ..outcomes import JudgedCase, Observed, judge_all
from ..results import Example
from .gallery import Gallery, ModelChange, Picture, Shot, stacked
from .methods import NO_EDIT, REWRITE, Methods

ADAPTER = "low-rank adapter"
"""Method that changes the model and leaves the conditioning alone."""
READ = 64
"""Pictures read together."""


class PictureReader(Protocol):
    """Something that reads pictures (n, 3, 128, 128) in 0 … 1."""

    def read(self, pictures: Tensor) -> list[dict[str, str]]:
        """Return, per picture, category → value or ``unreadable``."""
        ...


class Way(NamedTuple):
    """One way to draw cases."""

    method: str
    lock: bool = False
    strength: float = 1.0

    def __str__(self) -> str:
        strength = "" if self.strength == 1 else f" at {self.strength:g}"
        return f"{self.method}{strength}{' + lock' if self.lock else ''}"


@dataclass
class Bench:
    """What a run works with."""

    dictionary: Dictionary
    """the one that is judged"""
    world: World
    methods: Methods
    gallery: Gallery
    reader: PictureReader
    second: PictureReader
    artifacts: Callable[[Tensor], Tensor]
    """pictures (n, 3, 128, 128) → (n,) whether there is an artifact"""
    seed: int
    adapters: Mapping[str, ModelChange] = field(default_factory=dict)
    """concept → a change of the model that draws it; empty where the host cannot train any"""
    told: Callable[[int], None] | None = None
    """called with the number of pictures done; may raise to interrupt"""
    seen: dict[str, Observed] = field(default_factory=dict)
    """every picture of the run"""

    @property
    def headline(self) -> str:
        """The split that the headline is drawn from."""
        return f"{self.world.pairs} pairs"

    def of_two(self) -> Bench:
        """Return a bench that draws and reads two people side by side."""
        return replace(self, gallery=self.gallery.of_two())

    def judge(
        self, cases: Sequence[Case], ways: Sequence[Way]
    ) -> tuple[dict[Way, list[JudgedCase]], dict[Way, list[Picture]]]:
        """Draw, look at and judge cases in several ways; the unedited pictures and the rewrites are among them."""
        everyone = list(dict.fromkeys([Way(NO_EDIT), Way(REWRITE), *ways]))
        shots = {way: self._shots(cases, way) for way in everyone}
        pictures = self._draw(shots)
        looks = {way: self._look(shots[way], pictures[way]) for way in everyone}
        before, rewrite = looks[Way(NO_EDIT)], looks[Way(REWRITE)]
        return {way: judge_all(cases, before, looks[way], rewrite) for way in everyone}, pictures

    def _draw(self, shots: Mapping[Way, Sequence[Shot]]) -> dict[Way, list[Picture]]:
        """Draw every way's shots; what is the same is drawn once."""
        flat = [shot for some in shots.values() for shot in some]
        made = iter(self.gallery.draw(flat, self.told))
        return {way: list(islice(made, len(some))) for way, some in shots.items()}

    def _shots(self, cases: Sequence[Case], way: Way) -> list[Shot]:
        """Return what to draw of cases in one way."""
        return [self._shot(case, way) for case in cases]

    def _shot(self, case: Case, way: Way) -> Shot:
        plain = self.methods.rows(NO_EDIT, case)
        held_to = plain if way.lock else None
        if way.method == ADAPTER:
            return Shot(plain, case.seed, held_to, (self.adapters[case.edits[0].concept], way.strength))
        alone = [self.methods.rows(way.method, one, way.strength) for one in self._apart(case)] if way.lock else ()
        return Shot(self.methods.rows(way.method, case, way.strength), case.seed, held_to, alone=tuple(alone))

    def _apart(self, case: Case) -> list[Case]:
        """Return the edits of a case one by one, where there are several."""
        changes = replaced(case.before, case.after) if len(case.edits) > 1 else []
        return [make_case(self.world.table, case.prompt, [one], case.seed) for one in changes]

    def _look(self, shots: Sequence[Shot], pictures: Sequence[Picture]) -> list[Observed]:
        """Read pictures and search them for artifacts, each once in a run and on one rank."""
        keys = [self.gallery.key(shot) for shot in shots]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in self.seen}
        names = list(new)
        together = [names[start : start + READ] for start in range(0, len(names), READ)]
        found = distributed.shared(together, lambda some: self._read([new[key] for key in some]))
        for key, (own, other, damaged) in zip(names, chain.from_iterable(found), strict=True):
            self.seen[key] = Observed(own, other, damaged, new[key].let_through)
        return [self.seen[key] for key in keys]

    def _read(self, pictures: Sequence[Picture]) -> list[list[Any]]:
        """Return what both readers see in pictures, and whether there is an artifact, as JSON can say it."""
        pixels = stacked(pictures)
        read, second = (read_people(one.read, pixels) for one in (self.reader, self.second))
        artifact = torch.stack([self.artifacts(half) for half in pixels.split(SIZE, -1)]).any(0).tolist()
        return [list(one) for one in zip(read, second, artifact, strict=True)]


def examples(
    found: Mapping[Way, Sequence[JudgedCase]],
    pictures: Mapping[Way, Sequence[Picture]],
    count: int,
    ways: Sequence[Way],
) -> list[Example]:
    """Return the first cases, none picked."""
    made = []
    for index, one in enumerate(next(iter(found.values()))[:count]):
        faults = {str(way): "" if way.method == NO_EDIT else _fault(found[way][index]) for way in ways}
        pixels = {str(way): pictures[way][index].pixels for way in ways}
        made.append(Example(one.case.title, one.case.prompt.text, pixels, faults))
    return made


def _fault(one: JudgedCase) -> str:
    return "missed" if not one.outcome.success else "" if one.outcome.all_kept else "moved"
