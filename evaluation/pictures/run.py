"""Run the scoreboard on Portraits: what it will cost, every part in turn, and the results."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ...hosts.embedded import PortraitsText
from ...portraits import artifacts, captions, reader, scene, second_reader
from ...supsae_core.capture.captures import Capture
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.files import alone_in
from ...supsae_core.host import Renderer, TextHost, check_host
from ...supsae_core.lock import LockConfig
from ...training import capture, distributed
from ...training.capture import CaptureConfig
from ..cases import World
from ..results import Hooks, Results, gathered, part_progress
from .bench import Bench
from .figures import agreement
from .gallery import Gallery, ModelChange
from .methods import baselines, encoded, prepare
from .parts import PARTS, SIZES, Size
from .splits import draw

PROBE, PROBED = 16, 20
"""Pictures drawn to tell how long a run will take: so many at most, and one for every so many of the run's."""
FEW = 50
"""Prompts of the dictionary that is learnt from few."""
CALIBRATION = 256
AdaptersOf = Callable[[TextPlan, Hooks], Mapping[str, ModelChange]]
"""(the prompts that the dictionary was learnt from, what to tell) → concept → a change of the model that draws it."""


@dataclass(frozen=True)
class EvalConfig:
    """What a run asks."""

    size: str = "full"
    """a key of ``SIZES``"""
    seed: int = 4711
    """of every choice"""
    parts: tuple[str, ...] = tuple(PARTS)
    own_counts: Size | None = None
    """cases of every part, if not those of the size"""

    def __post_init__(self) -> None:
        if self.size not in SIZES and self.own_counts is None:
            raise ValueError(f"There is no size {self.size!r} of a run. Sizes are: {', '.join(SIZES)}.")
        if unknown := [name for name in self.parts if name not in PARTS]:
            raise ValueError(f"The scoreboard has no part {unknown[0]!r}. Parts are: {', '.join(PARTS)}.")

    @property
    def counts(self) -> Size:
        return self.own_counts or SIZES[self.size]


def require_portraits(dictionary: Dictionary) -> None:
    """Check that the reader can judge a dictionary."""
    strange = [str(one) for one in dictionary.table.concepts if one.name not in scene.FACTORS.get(one.category, ())]
    if strange:
        raise ValueError(
            f"The dictionary's concept {strange[0]!r} is none of Portraits', so no picture can show it. "
            "Judge it without pictures: 'supsae eval DICTIONARY --no-pictures', or no model and VAE on the node."
        )


def run(
    dictionary: Dictionary,
    renderer: Renderer,
    out: Path,
    config: EvalConfig,
    hooks: Hooks,
    host: TextHost | None = None,
    adapters: AdaptersOf | None = None,
) -> Results:
    """Judge a dictionary.

    Args:
        out: folder of the pictures and the baselines' captures; a run goes on with what is there.
        host: Portraits' encoders, if they are at hand.
        adapters: trains changes of the model on a capture's prompts, where the host can.

    Raises:
        BusyError: if another process works in the folder.
        ValueError: if the dictionary is of another model or the reader cannot judge it.
    """
    require_portraits(dictionary)
    with distributed.one_has(partial(alone_in, out)):
        return _run(dictionary, renderer, out, config, hooks, host or PortraitsText(), adapters)


def _run(
    dictionary: Dictionary,
    renderer: Renderer,
    out: Path,
    config: EvalConfig,
    hooks: Hooks,
    host: TextHost,
    adapters: AdaptersOf | None,
) -> Results:
    began = time.perf_counter()
    size = config.counts
    check_host(dictionary, host)
    bench = prepared(dictionary, renderer, out, config, host, hooks, adapters)
    most = _most(config, bench)
    hooks.say(cost(sum(most.values()), bench, renderer, out))
    sections, seconds = {}, {"prepare": round(time.perf_counter() - began, 1)}
    for name in most:
        began = time.perf_counter()
        bench.told = hooks.part(name, most[name])
        sections[name] = PARTS[name].run(bench, size)
        seconds[name] = round(time.perf_counter() - began, 1)
    return gathered(
        dictionary,
        {"size": config.size, "seed": config.seed, "parts": list(config.parts), **asdict(size)},
        sections,
        lock=asdict(LockConfig()),
        methods=list(bench.methods.edits),
        readers=agreement(list(bench.seen.values())),
        pictures=len(bench.seen),
        seconds=seconds,
    )


def _most(config: EvalConfig, bench: Bench) -> dict[str, int]:
    """Return the parts to run, and how many pictures each looks at, at most."""
    size, others = config.counts, len(bench.methods.edits) - 1
    asked = [name for name, part in PARTS.items() if name in config.parts and part.cases(size)]
    return {name: PARTS[name].pictures(size, others) for name in asked if name != "adapters" or bench.adapters}


def cost(most: int, bench: Bench, renderer: Renderer, out: Path) -> str:
    """Return what a run will take, by the time of a first few pictures."""
    case = draw("any pairs", bench.world, 1, bench.seed)[0]
    cond, pooled = encoded(bench.methods.host, case.prompt.text)
    began, probe = time.perf_counter(), min(PROBE, -(-most // PROBED))
    renderer.draw([cond] * probe, [pooled] * probe, list(range(probe)))
    seconds = most * (time.perf_counter() - began) / max(probe, 1)
    took = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    return f"The run draws {most} pictures at most, about {took} here; what lies in {out} already is taken over."


def steps_before(dictionary: Dictionary, size: Size) -> int:
    """Return how many steps a run takes before its first picture: prompts to encode, and baselines to fit."""
    captured = _prompts(dictionary) + FEW + 2 * 2 * CALIBRATION  # each to calibrate on has its rewrite beside it
    return captured + baselines() if size.baselines else 0


def _prompts(dictionary: Dictionary) -> int:
    return max(dictionary.provenance.get("prompts", 300), 10)


def _captured(host: TextHost, folder: Path, plan: TextPlan, hooks: Hooks) -> Capture:
    count = len(plan.entries)
    told = part_progress(hooks, f"encode {count} prompts", count)
    return capture.capture_text(host, folder, plan, progress=told)


def prepared(
    dictionary: Dictionary,
    renderer: Renderer,
    out: Path,
    config: EvalConfig,
    host: TextHost,
    hooks: Hooks,
    adapters: AdaptersOf | None,
) -> Bench:
    """Draw the world, fit whom the dictionary is held against, and load the readers."""
    own, size = dictionary.provenance, config.counts
    held_out = frozenset(frozenset(pair) for pair in own.get("held_out", ()))
    plan = partial(capture.plan_text, dictionary.table, host, wording=captions.WORDING, held_out=held_out)
    whole = plan(config=CaptureConfig(_prompts(dictionary), CALIBRATION, seed=own.get("seed", 0)))
    many, few, told = None, None, lambda count: None
    if size.baselines:
        captures = {"capture": whole, f"capture-{FEW}": plan(config=CaptureConfig(FEW, CALIBRATION))}
        many, few = (_captured(host, out / name, one, hooks) for name, one in captures.items())
        told = hooks.part("fit the baselines", baselines())
    if not held_out:
        hooks.say(
            "The dictionary held no pairs of concepts out, so there are none it never saw: the headline is over any "
            "pairs. Capture with '--held-out 0.12' to have both."
        )
    changed = adapters(whole, hooks) if adapters and size.adapter and "adapters" in config.parts else {}
    return Bench(
        dictionary,
        World.of(whole),
        prepare(dictionary, host, many, few, told),
        Gallery(renderer, out / "pictures", LockConfig()),
        reader.load_reader(),
        second_reader.load_second_reader(),
        artifacts.load_artifacts().is_artifact,
        config.seed,
        changed,
    )
