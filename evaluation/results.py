"""What a run found, of one shape whether pictures were read, judged by CLIP, or not drawn at all."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import Progress
from ..supsae_core.version import __version__
from ..training import distributed

SCHEMA = 2
"""Version of ``results.json``."""


class Example(NamedTuple):
    """Pictures of one case, for people to look at."""

    title: str
    """what the edit asks for"""
    prompt: str
    pictures: Mapping[str, np.ndarray]
    """way it was drawn → (h, w, 3) bytes"""
    faults: Mapping[str, str]
    """way it was drawn → ``missed``, ``moved`` or empty"""


class Section(NamedTuple):
    """What one part of a run found."""

    json: dict[str, Any]
    examples: Sequence[Example] = ()


class Results(NamedTuple):
    """What a run found."""

    results: dict[str, Any]
    """all of ``results.json``"""
    examples: Mapping[str, Sequence[Example]]
    """part → what it shows"""
    dictionary: Dictionary


class Hooks(NamedTuple):
    """How a run tells what it does; every one may raise to interrupt."""

    say: Callable[[str], None]
    """called with a sentence"""
    part: Callable[[str, int], Callable[[int], None]]
    """called with a part's name and how much it does at most; returns what is called with how much was done since. Of
    ranks each calls it with what it has done itself"""


def led_part(hooks: Hooks, name: str, most: int) -> Callable[[int], None]:
    """Begin a part of a run that all ranks do alike, so that the first tells how far it is."""
    return hooks.part(name, most) if distributed.rank() == 0 else lambda done: None


def part_progress(hooks: Hooks, name: str, most: int) -> Progress:
    """Begin such a part whose work counts in its own steps; return what it calls with (steps done, steps)."""
    tick, before = led_part(hooks, name, most), [0]

    def progress(done: int, total: int) -> None:
        now = most * done // max(total, 1)
        tick(now - before[0])
        before[0] = now

    return progress


def gathered(
    dictionary: Dictionary, settings: Mapping[str, Any], sections: Mapping[str, Section], **more: Any
) -> Results:
    """Put together what a run found."""
    known = dictionary.provenance
    about = {
        "content": content_hash(dictionary)[:16],
        "family": dictionary.family.name,
        "prompts": known.get("prompts"),
        "concepts": len(dictionary.table),
        "held_out": len(known.get("held_out", ())),
    }
    head = {"schema_version": SCHEMA, "tool": f"supsae {__version__}", "settings": dict(settings), "dictionary": about}
    results = {**head, "sections": {name: section.json for name, section in sections.items()}, **more}
    return Results(results, {name: section.examples for name, section in sections.items()}, dictionary)


def content_hash(dictionary: Dictionary) -> str:
    """Return what tells a dictionary's edits from another's."""
    maps = (dict(dictionary.sliders),) if dictionary.sliders else ()
    made = hashlib.sha256(repr((dictionary.table, dictionary.slider, *maps)).encode())
    for part in dictionary.parts.values():
        for tensor in vars(part).values():
            made.update(tensor.contiguous().numpy().tobytes())
    return made.hexdigest()
