"""Run the scoreboard on Portraits: what it will cost, every part in turn, and the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...hosts.embedded import PortraitsText
from ...portraits import artifacts, captions, reader, scene, second_reader
from ...supsae_core.capture.captures import Capture
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Painter, TextHost
from ...supsae_core.lock import LockConfig
from ...supsae_core.version import __version__
from ...training import capture as capturing
from ...training.capture import CaptureConfig
from ..reading import check_encoder
from .bench import Bench
from .figures import agreement
from .gallery import Adapter, Gallery
from .methods import content_hash, encoded, prepare
from .parts import PARTS, SIZES, Section, Size
from .tasks import World, draw

SCHEMA = 1
"""Version of ``results.json``."""
PROBE = 16
"""Pictures drawn to tell how long a run will take."""
FEW = 50
"""Prompts of the dictionary that is learnt from few."""
CALIBRATION = 256


@dataclass(frozen=True)
class EvalConfig:
    """What a run asks."""

    size: str = "full"
    """a key of ``SIZES``"""
    seed: int = 4711
    """of every choice"""
    parts: tuple[str, ...] = tuple(PARTS)

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"There is no size {self.size!r} of a run. Sizes are: {', '.join(SIZES)}.")
        if unknown := [name for name in self.parts if name not in PARTS]:
            raise ValueError(f"The scoreboard has no part {unknown[0]!r}. Parts are: {', '.join(PARTS)}.")

    @property
    def counts(self) -> Size:
        return SIZES[self.size]


class Found(NamedTuple):
    """What a run found."""

    results: dict[str, Any]
    """all of ``results.json``"""
    sections: dict[str, Section]
    dictionary: Dictionary


class Hooks(NamedTuple):
    """How a run tells what it does; every one may raise to interrupt."""

    say: Callable[[str], None]
    """called with a sentence"""
    part: Callable[[str, int], Callable[[int], None]]
    """called with a part's name and the pictures it draws at most; returns what is called with how many are done"""


AdaptersOf = Callable[[TextPlan, Hooks], Mapping[str, Adapter]]
"""(the prompts that the dictionary was learnt from, what to tell) → concept → a change of the model that draws it."""


def require_portraits(dictionary: Dictionary) -> None:
    """Check that the reader can judge a dictionary.

    Raises:
        ValueError: if it holds concepts that are not drawn in Portraits.
    """
    strange = [str(one) for one in dictionary.table.concepts if one.name not in scene.FACTORS.get(one.category, ())]
    if strange:
        raise ValueError(
            f"The dictionary's concept {strange[0]!r} is none of Portraits', so no picture can show it. "
            "Judge it without pictures: 'supsae eval DICTIONARY --no-pictures', or no model and VAE on the node."
        )


def run(
    dictionary: Dictionary,
    painter: Painter,
    out: Path,
    config: EvalConfig,
    hooks: Hooks,
    host: TextHost | None = None,
    adapters: AdaptersOf | None = None,
) -> Found:
    """Judge a dictionary.

    Args:
        dictionary: of Portraits' encoders.
        painter: draws the pictures.
        out: folder of the pictures and the rivals' capture; a run goes on with what is there.
        config: what to ask.
        hooks: told what is done.
        host: Portraits' encoders, if they are at hand.
        adapters: trains changes of the model on a capture's prompts, where the host can.

    Raises:
        ValueError: if the dictionary is of another model or the reader cannot judge it.
    """
    began = time.perf_counter()
    host, size = host or PortraitsText(), config.counts
    require_portraits(dictionary)
    check_encoder(dictionary, host)
    bench = prepared(dictionary, painter, out, config, host, hooks, adapters)
    most = {
        name: part.pictures(size, len(bench.methods.edits) - 1)
        for name, part in PARTS.items()
        if name in config.parts and part.tasks(size) and (name != "adapters" or bench.adapters)
    }
    hooks.say(cost(sum(most.values()), bench, painter, out))
    sections, seconds = {}, {"prepare": time.perf_counter() - began}
    for name in most:
        begun = time.perf_counter()
        bench.told = hooks.part(name, most[name])
        sections[name] = PARTS[name].run(bench, size)
        seconds[name] = time.perf_counter() - begun
    results = {
        **_header(dictionary, config, bench),
        "sections": {name: section.json for name, section in sections.items()},
        "readers": agreement(list(bench.seen.values())),
        "pictures": len(bench.seen),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    return Found(results, sections, dictionary)


def cost(most: int, bench: Bench, painter: Painter, out: Path) -> str:
    """Return what a run will take, by the time of a first few pictures."""
    task = draw("any pairs", bench.world, 1, bench.seed)[0]
    cond, pooled = encoded(bench.methods.host, task.prompt.text)
    began = time.perf_counter()
    painter.draw([cond] * PROBE, [pooled] * PROBE, list(range(PROBE)))
    seconds = most * (time.perf_counter() - began) / PROBE
    took = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    return f"The run draws {most} pictures at most, about {took} here; what lies in {out} already is taken over."


def prepared(
    dictionary: Dictionary,
    painter: Painter,
    out: Path,
    config: EvalConfig,
    host: TextHost,
    hooks: Hooks,
    adapters: AdaptersOf | None,
) -> Bench:
    """Draw the world, fit whom the dictionary is held against, and load the readers."""
    own = dictionary.provenance
    held_out = frozenset(frozenset(pair) for pair in own.get("held_out", ()))
    plan = partial(capturing.plan, dictionary.table, host, wording=captions.WORDING, held_out=held_out)
    whole = plan(config=CaptureConfig(max(own.get("prompts", 300), 10), CALIBRATION, seed=own.get("seed", 0)))
    many, few, told = None, None, lambda count: None
    if config.counts.rivals:
        told = hooks.part("fit the rivals", 0)
        many = _captured(host, out / "capture", whole)
        few = _captured(host, out / f"capture-{FEW}", plan(config=CaptureConfig(FEW, CALIBRATION)))
    if not held_out:
        hooks.say(
            "The dictionary held no pairs of concepts out, so there are none it never saw: the headline is over any "
            "pairs. Capture with '--held-out 0.12' to have both."
        )
    changed = adapters(whole, hooks) if adapters and config.counts.adapter and "adapters" in config.parts else {}
    return Bench(
        dictionary,
        World.of(whole),
        prepare(dictionary, host, many, few, lambda: told(0)),
        Gallery(painter, out / "pictures", LockConfig()),
        reader.load_reader(),
        second_reader.load_second_reader(),
        artifacts.load_artifacts().is_artifact,
        config.seed,
        "unseen pairs" if held_out else "any pairs",
        changed,
    )


def _captured(host: TextHost, folder: Path, plan: TextPlan) -> Capture:
    return capturing.run(host, folder, plan)


def _header(dictionary: Dictionary, config: EvalConfig, bench: Bench) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA,
        "kind": "portraits",
        "tool": f"supsae {__version__}",
        "settings": {"size": config.size, "seed": config.seed, "parts": list(config.parts), **asdict(config.counts)},
        "lock": asdict(LockConfig()),
        "dictionary": {
            "content": content_hash(dictionary)[:16],
            "prompts": dictionary.provenance.get("prompts"),
            "concepts": len(dictionary.table),
            "held_out": len(bench.world.held_out),
        },
        "methods": list(bench.methods.edits),
    }
