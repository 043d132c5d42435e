"""The parts of the scoreboard: what each draws, and the section of results it makes of that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from ...supsae_core.editing.evenness import evenness
from ...training import distributed
from ..cases import Case
from ..intervals import paired_interval, share, variation_interval
from ..outcomes import JudgedCase, total_variation
from ..results import Section
from ..text.metrics import TextConfig, text_section
from . import splits
from .bench import ADAPTER, Bench, Way, examples
from .couples import draw_couples, other_kept
from .figures import change, compared, figures, interference, largest, three
from .gallery import Picture, pixels
from .methods import NO_EDIT, OURS, PRIOR, REWRITE, STRENGTHS

PAPER = "paper, all dimensions"
"""The better of its two settings on Portraits: the paper keeps the 1000 dimensions of the largest range."""
POSITIONS = tuple(i / 4 for i in range(7))
"""Slider positions 0 … 1.5 of the strength curve."""
OTHER_SPLITS = ("seen tuples", "unseen tuples", "shuffled", "unmentioned", "paraphrased company", "paraphrased itself")
"""Beside the headline's."""
CONCEPTS = ("hair: red", "hat: crown", "expression: smile")
"""What low-rank adapters are trained for."""
SHOWN = 12
EVEN = ("deficit", "variation", "r2", "forward")
"""What is published of a slider's evenness; strength 0 is the unedited picture itself here."""
"""Examples of a part, at most."""


@dataclass(frozen=True)
class Size:
    """How many cases each part asks; 0 leaves a part out."""

    headline: int = 0
    """swaps into unseen pairs: no edit, rewrite and SupSAE, with and without the lock"""
    baselines: int = 0
    """of these, for everyone else"""
    calibration: int = 0
    """of the calibration prompts, to choose every method's best strength on"""
    split: int = 0
    several: int = 0
    """prompts with 1 … 5 edits each"""
    curve: int = 0
    """cases drawn at every slider position"""
    removal: int = 0
    adapter: int = 0
    """for each concept that has a low-rank adapter"""
    two: int = 0
    """prompts of two people"""
    text: int = 0
    """prompts that are read and decoded without a picture"""


SIZES = {
    "quick": Size(headline=40, curve=8, removal=24, text=64),
    "medium": Size(headline=256, baselines=64, split=64, several=32, curve=28, removal=128, two=48, text=256),
    "full": Size(
        headline=1536,
        baselines=384,
        calibration=40,
        split=128,
        several=96,
        curve=64,
        removal=384,
        adapter=128,
        two=192,
        text=512,
    ),
}
"""Size of a run → how many cases each part asks."""


def text(bench: Bench, size: Size) -> Section:
    """Read and decode fresh prompts, without a picture."""
    told = bench.told or (lambda count: None)
    config = TextConfig(prompts=size.text, seed=bench.seed)
    return text_section(bench.dictionary, bench.methods.host, config, progress=lambda *_: told(0))


def headline(bench: Bench, size: Size) -> Section:
    """Swap into unseen pairs, everyone, with and without the lock, all at strength 1."""
    cases = splits.draw(bench.headline, bench.world, size.headline, bench.seed)
    core = [Way(name, lock) for lock in (False, True) for name in (REWRITE, OURS)]
    found, pictures = bench.judge(cases, [*core, Way(PRIOR)])
    rows = {str(way): _row(bench, way, found) for way in found}
    others = [Way(name, lock) for name in bench.methods.edits for lock in (False, True) if name != OURS]
    shown, shown_in = [Way(NO_EDIT), *core], found
    if size.baselines and others:
        some, more = bench.judge(cases[: size.baselines], [*core, *others])
        rows |= {str(way): _row(bench, way, some) for way in others}
        shown_in, pictures = some, more
        shown += [way for way in others if not way.lock]
    matrix = {str(way): interference(found[way]) for way in core}
    made = {"split": bench.headline, "rows": rows, "interference": matrix}
    return Section(made, examples(shown_in, pictures, SHOWN, shown))


def _row(bench: Bench, way: Way, found: Mapping[Way, Sequence[JudgedCase]], ours: Way | None = None) -> dict[str, Any]:
    """Return a way's figures, and what they are beside the rewrite's with and without the lock, and beside SupSAE's."""
    own, ours = found[way], ours or Way(OURS, way.lock)
    others = {"minus_rewrite": Way(REWRITE), "minus_rewrite_lock": Way(REWRITE, lock=True), "minus_ours": ours}
    beside = {name: compared(own, found[other]) for name, other in others.items() if other in found and other != way}
    settings = {"method": way.method, "lock": way.lock, "strength": way.strength, "count": len(own)}
    return {**settings, **figures(bench.world.table, own), **beside}


def best_strength(bench: Bench, size: Size) -> Section:
    """Choose every method's best strength on the calibration prompts, and swap into unseen pairs with it."""
    split = "unseen tuples" if bench.world.held_out else "any pairs"
    known = splits.draw(split, bench.world, size.calibration, bench.seed + 1)
    names = list(bench.methods.edits)
    found, _ = bench.judge(known, [Way(name, strength=one) for name in names for one in STRENGTHS])
    tried = {name: _by_strength(found, name) for name in names}
    best = {name: float(largest(rows, "both")) for name, rows in tried.items()}
    cases = splits.draw(bench.headline, bench.world, max(size.headline, size.baselines), bench.seed)
    chosen = [Way(name, strength=best[name]) for name in names]
    tested, _ = bench.judge(cases[: size.baselines], chosen)
    rows = {str(way): _row(bench, way, tested, Way(OURS, strength=best[OURS])) for way in chosen}
    return Section({"tried": tried, "best": best, "rows": rows})


def _by_strength(found: Mapping[Way, Sequence[JudgedCase]], method: str) -> dict[str, Any]:
    """Return strength → success, kept and both of one method."""
    return {f"{one:g}": three(found[Way(method, strength=one)]) for one in STRENGTHS}


def other_splits(bench: Bench, size: Size) -> Section:
    """Ask SupSAE, the rewrite and the paper's model in every split."""
    ways = [Way(name) for name in (REWRITE, OURS, PAPER) if name in (REWRITE, *bench.methods.edits)]
    made = {}
    for name in OTHER_SPLITS:
        found, _ = bench.judge(splits.draw(name, bench.world, size.split, bench.seed), ways)
        made[name] = {str(way): _row(bench, way, found) for way in ways}
    return Section(made)


def several(bench: Bench, size: Size) -> Section:
    """Make 1 … 5 edits of the same prompts at once."""
    nested = splits.several(bench.world, size.several, np.random.default_rng((bench.seed, 100)))
    ways = [Way(REWRITE), Way(OURS)]
    made, shown = {}, []
    for number, cases in enumerate(zip(*nested, strict=True), 1):
        found, pictures = bench.judge(cases, ways)
        made[str(number)] = {str(way): _row(bench, way, found) for way in ways}
        shown = examples(found, pictures, 4, [Way(NO_EDIT), *ways])
    return Section(made, shown)


def strength(bench: Bench, size: Size) -> Section:
    """Move the slider from 0 to 1.5, and measure what changes inside that which position 1 changes."""
    cases = splits.draw(bench.headline, bench.world, max(size.headline, size.curve), bench.seed)[: size.curve]
    ways = [Way(OURS, strength=one) if one else Way(NO_EDIT) for one in POSITIONS]
    found, pictures = bench.judge(cases, ways)
    at = POSITIONS.index(1.0)
    moved = change(np.stack([pixels(pictures[way]) for way in ways]), at)
    whole = moved[at] or 1.0
    steps = np.diff(moved) / whole
    made = {
        "count": len(cases),
        "positions": list(POSITIONS),
        "change": [round(one / whole, 4) for one in moved],
        "success": [three(found[way])["success"] for way in ways],
        "monotone": bool((steps >= 0).all()),
        "largest_step": round(float(np.abs(steps).max()), 4),
        "evenness": _evenness(pictures, ways),
        "untouched_at_0": all(distributed.shared(cases, lambda case: _is_untouched(bench, case))),
    }
    return Section(made, examples(found, pictures, 6, ways))


def _evenness(pictures: Mapping[Way, Sequence[Picture]], ways: Sequence[Way]) -> dict[str, Any]:
    """Return, over the pictures in which strength 1 changes something, the means of what ``evenness`` measures."""
    rows = torch.from_numpy(np.stack([pixels(pictures[way]) for way in ways])).float() / 255
    found = []
    for case in range(rows.shape[1]):
        own = rows[:, case : case + 1]
        if bool((own[POSITIONS.index(1.0)] != own[0]).any()):
            found += evenness(own, POSITIONS, own[0])
    return {name: round(float(np.mean([getattr(one, name) for one in found])), 4) for name in EVEN} if found else {}


def _is_untouched(bench: Bench, case: Case) -> bool:
    """Tell whether an edit at strength 0 returns the very same tensors."""
    cond, pooled = bench.methods.rows(NO_EDIT, case).make()
    made = bench.methods.edits[OURS].edit(case, cond, pooled, 0.0)
    return made[0] is cond and made[1] is pooled


def removal(bench: Bench, size: Size) -> Section:
    """Remove a concept, held against the same prompts with the words deleted."""
    cases = splits.draw("removal", bench.world, size.removal, bench.seed)
    ways = [Way(NO_EDIT), Way(REWRITE), Way(OURS)]
    found, pictures = bench.judge(cases, ways)
    ours, deleted = found[Way(OURS)], found[Way(REWRITE)]
    still, gone = list(map(_shows_removed, ours)), list(map(_shows_removed, deleted))
    made = {
        "rows": {str(way): _row(bench, way, found) for way in ways},
        "still_shown": {"SupSAE": share(still).json(), "deleted": share(gone).json()},
        "still_shown_difference": paired_interval(still, gone).json(),
        "total_variation": _variations(ours, deleted),
    }
    return Section(made, examples(found, pictures, SHOWN, ways))


def _shows_removed(one: JudgedCase) -> bool:
    category, value = one.case.edits[0].concept.split(": ", 1)
    return one.look.read[category] == value


def _variations(ours: Sequence[JudgedCase], deleted: Sequence[JudgedCase]) -> dict[str, Any]:
    """Return, per category, how far the values drawn are from those drawn with the words deleted; and over all."""
    groups = {}
    for category in dict.fromkeys(name for one in ours for name in one.case.wanted):
        drawn, wanted = (_values(some, category) for some in (ours, deleted))
        groups[category] = (drawn, wanted)
    each = {name: round(total_variation(*values), 4) for name, values in groups.items()}
    return {**each, "mean": variation_interval(list(groups.values())).json()}


def _values(found: Sequence[JudgedCase], category: str) -> list[str]:
    return [one.look.read[category] for one in found if category in one.case.wanted]


def adapters(bench: Bench, size: Size) -> Section:
    """Swap into the concepts that a low-rank adapter was trained for, seen or unseen beside one another."""
    tried, _ = bench.judge(_wanting(bench, size.adapter // 2, 300), [Way(ADAPTER, strength=one) for one in STRENGTHS])
    best = Way(ADAPTER, strength=float(largest(_by_strength(tried, ADAPTER), "both")))
    ways = [Way(name, lock) for lock in (False, True) for name in (REWRITE, OURS, ADAPTER)]
    found, pictures = bench.judge(_wanting(bench, size.adapter, 200), [*ways, best])
    rows = {str(way): _row(bench, way, found) for way in found}
    shown = examples(found, pictures, SHOWN, [Way(NO_EDIT), *ways[:3]])
    return Section({"concepts": list(bench.adapters), "rows": rows}, shown)


def _wanting(bench: Bench, count: int, salt: int) -> list[Case]:
    """Draw swaps into every concept that has an adapter."""
    made = []
    for concept in bench.adapters:
        rng = np.random.default_rng((bench.seed, salt, bench.world.table.index(concept)))
        made += splits.wanting(bench.world, concept, count, rng)
    return made


def two_people(bench: Bench, size: Size) -> Section:
    """Change one of two people who stand side by side, everyone told which."""
    cases = draw_couples(bench.world, size.two, np.random.default_rng((bench.seed, 400)))
    ways = [Way(NO_EDIT), Way(PRIOR), *(Way(name, lock) for lock in (False, True) for name in (REWRITE, OURS))]
    ways += [Way(name) for name in bench.methods.edits if name != OURS]
    found, pictures = bench.of_two().judge(cases, ways)
    rows = {str(way): {**_row(bench, way, found), **other_kept(found[way])} for way in ways}
    return Section({"rows": rows}, examples(found, pictures, SHOWN, [ways[0], *ways[2:4]]))


class BoardPart(NamedTuple):
    """One part of the scoreboard."""

    run: Callable[[Bench, Size], Section]
    cases: Callable[[Size], int]
    """what it asks; 0 leaves it out"""
    pictures: Callable[[Size, int], int]
    """(size, number of baselines) → pictures that it looks at, at most; many were drawn for another part before"""


PARTS: dict[str, BoardPart] = {
    "text": BoardPart(text, lambda n: n.text, lambda n, others: 0),
    "headline": BoardPart(
        headline, lambda n: n.headline, lambda n, others: 6 * n.headline + (5 + 2 * others) * n.baselines
    ),
    "removal": BoardPart(removal, lambda n: n.removal, lambda n, others: 3 * n.removal),
    "strength": BoardPart(strength, lambda n: n.curve, lambda n, others: (2 + len(POSITIONS)) * n.curve),
    "several": BoardPart(several, lambda n: n.several, lambda n, others: 3 * splits.MOST * n.several),
    "splits": BoardPart(other_splits, lambda n: n.split, lambda n, others: 4 * len(OTHER_SPLITS) * n.split),
    "best_strength": BoardPart(
        best_strength,
        lambda n: n.calibration,
        lambda n, others: (2 + (others + 1) * len(STRENGTHS)) * n.calibration + (others + 3) * n.baselines,
    ),
    "adapters": BoardPart(
        adapters,
        lambda n: n.adapter,
        lambda n, others: len(CONCEPTS) * (8 * n.adapter + (2 + len(STRENGTHS)) * (n.adapter // 2)),
    ),
    "two_people": BoardPart(two_people, lambda n: n.two, lambda n, others: (6 + others) * n.two),
}
"""Part → what makes its section of the results, in the order they run."""
