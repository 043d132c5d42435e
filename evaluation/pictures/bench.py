"""Where the parts of the scoreboard get their pictures and verdicts from: methods, gallery and readers in one hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from .figures import Judged, Look, judged
from .gallery import Adapter, Gallery, Picture, Shot, stacked
from .methods import NO_EDIT, REWRITE, Methods
from .tasks import Task, World

ADAPTER = "low-rank adapter"
"""Method that changes the model and leaves the conditioning alone."""


class Reader(Protocol):
    """Something that reads pictures (n, 3, 128, 128) in 0 … 1."""

    def read(self, pictures: Tensor) -> list[dict[str, str]]:
        """Return, per picture, category → value or ``unreadable``."""
        ...


class Way(NamedTuple):
    """One way to draw a list of tasks."""

    method: str
    lock: bool = False
    strength: float = 1.0

    def __str__(self) -> str:
        strength = "" if self.strength == 1 else f" at {self.strength:g}"
        return f"{self.method}{strength}{' + lock' if self.lock else ''}"


class Example(NamedTuple):
    """Pictures of one task, for people to look at."""

    title: str
    """what the edit asks for"""
    prompt: str
    pictures: Mapping[str, np.ndarray]
    """way → (128, 128, 3) bytes"""
    faults: Mapping[str, str]
    """way → ``missed``, ``moved`` or empty"""


@dataclass
class Bench:
    """What a run works with."""

    dictionary: Dictionary
    """the one that is judged"""
    world: World
    methods: Methods
    gallery: Gallery
    reader: Reader
    second: Reader
    artifacts: Callable[[Tensor], Tensor]
    """pictures (n, 3, 128, 128) → (n,) whether there is an artifact"""
    seed: int
    headline: str
    """split that the headline is drawn from"""
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    """concept → a change of the model that draws it; empty where the host cannot train any"""
    told: Callable[[int], None] | None = None
    """called with the number of pictures done; may raise to interrupt"""
    seen: dict[str, Look] = field(default_factory=dict)
    """every picture of the run"""

    def judge(self, tasks: Sequence[Task], ways: Sequence[Way]) -> tuple[dict[Way, Judged], dict[Way, list[Picture]]]:
        """Draw, look at and judge tasks in several ways; the unedited pictures and the rewrites are among them."""
        everyone = list(dict.fromkeys([Way(NO_EDIT), Way(REWRITE), *ways]))
        shots = {way: self.shots(tasks, way) for way in everyone}
        pictures = self.draw(shots)
        looks = {way: self.look(shots[way], pictures[way]) for way in everyone}
        before, rewrite = looks[Way(NO_EDIT)], looks[Way(REWRITE)]
        return {way: judged(tasks, before, looks[way], rewrite) for way in everyone}, pictures

    def draw(self, shots: Mapping[Way, Sequence[Shot]]) -> dict[Way, list[Picture]]:
        """Draw every way's shots; what is the same is drawn once."""
        flat = [shot for some in shots.values() for shot in some]
        made = iter(self.gallery.draw(flat, self.told))
        return {way: [next(made) for _ in some] for way, some in shots.items()}

    def shots(self, tasks: Sequence[Task], way: Way) -> list[Shot]:
        """Return what to draw of tasks in one way."""
        return [self._shot(task, way) for task in tasks]

    def _shot(self, task: Task, way: Way) -> Shot:
        plain = self.methods.rows(NO_EDIT, task)
        held_to = plain if way.lock else None
        if way.method == ADAPTER:
            return Shot(plain, task.seed, held_to, (self.adapters[task.edits[0].concept], way.strength))
        return Shot(self.methods.rows(way.method, task, way.strength), task.seed, held_to)

    def look(self, shots: Sequence[Shot], pictures: Sequence[Picture]) -> list[Look]:
        """Read pictures and search them for artifacts, each once in a run."""
        keys = [self.gallery.key(shot) for shot in shots]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in self.seen}
        names = list(new)
        for start in range(0, len(names), 64):
            some = names[start : start + 64]
            pixels = stacked([new[key] for key in some])
            seen = zip(self.reader.read(pixels), self.second.read(pixels), self.artifacts(pixels).tolist(), strict=True)
            for key, (read, second, artifact) in zip(some, seen, strict=True):
                self.seen[key] = Look(read, second, artifact, new[key].let_through)
        return [self.seen[key] for key in keys]


def examples(
    found: Mapping[Way, Judged], pictures: Mapping[Way, Sequence[Picture]], count: int, ways: Sequence[Way]
) -> list[Example]:
    """Return the first tasks, none picked."""
    made = []
    for index, task in enumerate(next(iter(found.values())).tasks[:count]):
        outcomes = {str(way): found[way].outcomes[index] for way in ways}
        faults = {way: "missed" if not o.success else "" if o.all_kept else "moved" for way, o in outcomes.items()}
        faults |= {NO_EDIT: ""} if NO_EDIT in faults else {}
        pixels = {str(way): pictures[way][index].pixels for way in ways}
        made.append(Example(", ".join(spelled(task)), task.prompt.text, pixels, faults))
    return made


def spelled(task: Task) -> list[str]:
    """Return a task's edits in words."""
    return [f"{type(edit).__name__.lower()} {edit.concept}" for edit in task.edits]
