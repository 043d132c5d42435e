"""What was measured as lines with a tick or a cross, and the verdict: what sliders will be worth on this model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...hosts.sights import HeardBlocks, Trio
from ..intervals import Interval
from ..text.asked import OF_TWO
from ..text.bench import DISTRACTED
from ..text.figures import SWAPS
from ..text.rivals import OURS, REPLACE, TOLD
from .found import CheckLine
from .trial import Trial, TrialFit

GOOD, WEAK, NOTHING = 0.6, 0.75, 0.95
"""Error of swaps up to which sliders should work, and above which they are weak and do nothing; nothing done is 1."""
FOLLOWS = 0.9
"""Error up to which the pooled vector follows an edit."""
READ = 0.8
"""Share of what prompts say that should be found in the rows."""
FALSE = 0.1
"""Share of what prompts do not say that may be read at most."""
TOOK = 0.7
"""Share of edits that should read as asked."""
VITAL = ("family", "rows", "words", "learning", "edits")
"""Checks without which nothing else can work."""
LEVELS = ("good", "fair", "poor")
Verdict = tuple[str, str]
"""One of ``LEVELS``, and a sentence."""


def learning(learnt: TrialFit) -> CheckLine:
    """Return the line of what was learnt."""
    concepts = len(learnt.dictionary.table)
    told = f"{concepts:d} concepts learnt from {learnt.encodings:d} encodings in {learnt.seconds:.0f} s"
    numbers = {"concepts": concepts, "encodings": learnt.encodings, "seconds": round(learnt.seconds, 1)}
    return CheckLine("learning", True, told, {**numbers, "report": dict(learnt.dictionary.report)})


def edits(trial: Trial) -> Iterator[CheckLine]:
    """Yield the lines of reading and of edits held against rewrites."""
    found, wrong = (Interval.parse(trial.reading[key]) for key in ("found", "false"))
    told = (
        f"{found.estimate:.0%} of what prompts say is found in the rows; {wrong.estimate:.0%} of the rest is read too"
    )
    yield CheckLine("reading", found.estimate >= READ and wrong.estimate <= FALSE, told, trial.reading)
    yield _split("swaps", trial.rows.get(SWAPS))
    yield _split("adds", trial.rows.get("adds"))
    yield _split("removals", trial.rows.get("removals"))
    yield _split("one of two", trial.rows.get(OF_TWO))
    yield _split("among other things", trial.rows.get(DISTRACTED))
    if trial.pooled is not None:
        told = f"{trial.pooled.count:d} edits leave {_ranged(trial.pooled)} of the change, doing nothing 1"
        yield CheckLine("pooled vector", trial.pooled.estimate <= FOLLOWS, told, {"error": trial.pooled.json()})
    took, count = trial.took
    told = f"{took:d} of {count:d} edits read as asked when the edited rows are read"
    yield CheckLine("read again", took >= TOOK * count, told, {"took": took, "count": count})


def _split(name: str, figures: Mapping[str, Any] | None) -> CheckLine:
    if figures is None:
        told = "not tried: without pads a rewrite of another length has no rows to compare"
        return CheckLine(name, None, told)
    ours, other = (Interval.parse(figures[method]["error"]) for method in (OURS, REPLACE))
    told = (
        f"{ours.count:d} edits leave {_ranged(ours)} of the change, doing nothing 1, replacing the words "
        f"{other.estimate:.2f}"
    )
    numbers = {method: {key: figures[method][key] for key in ("error", "kinds", "refused")} for method in figures}
    return CheckLine(name, ours.high < 1, told, numbers)


def _ranged(one: Interval) -> str:
    return f"{one.estimate:.2f} ({one.low:.2f}–{one.high:.2f})"


def pictures(trios: Sequence[Trio]) -> CheckLine:
    """Return the line of pictures: how far edited ones are from the rewritten prompt's, beside unedited ones."""
    off = sum(_apart(one.edited, one.rewritten) for one in trios)
    whole = sum(_apart(one.unedited, one.rewritten) for one in trios)
    if not whole:
        return CheckLine("pictures", None, "not tried: a rewritten prompt draws the very same picture")
    ratio = off / whole
    told = f"{len(trios)} swaps drawn: edited ones are {ratio:.2f} times as far from the rewrite's as unedited ones"
    return CheckLine("pictures", ratio < 1, told, {"count": len(trios), "ratio": round(ratio, 4)})


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def blocks(heard: HeardBlocks) -> CheckLine:
    """Return the line of the model's blocks."""
    told = f"all {heard.depth:d} blocks are heard, and listening changes nothing to the last bit"
    if heard.heard < heard.depth:
        told = f"{heard.heard:d} of {heard.depth:d} blocks are heard"
    elif heard.same is None:
        told = f"all {heard.depth:d} blocks are heard; this model alone does not draw the same picture twice"
    elif not heard.same:
        told = "listening to the blocks changes the picture"
    return CheckLine("blocks", heard.heard == heard.depth and heard.same is not False, told, heard._asdict())


def verdicts(found: Sequence[CheckLine]) -> list[Verdict]:
    """Judge all lines; the first sentence is the verdict, others are what else to know."""
    by_name = {one.what: one for one in found}
    if any(by_name[name].holds is False for name in VITAL if name in by_name):
        return [("poor", "SupSAE does not work with this model as it is loaded here: the first cross says why.")]
    swaps = by_name.get("swaps")
    if swaps is None or swaps.holds is None:
        return [("poor", "Nothing can be said of this model: no edit could be held against a rewritten prompt.")]
    return [_of_swaps(swaps), *_beside(by_name)]


def _of_swaps(swaps: CheckLine) -> Verdict:
    error = Interval.parse(swaps.numbers[OURS]["error"])
    made = 1 - error.estimate
    if error.estimate > NOTHING:
        return "poor", "Edits come hardly nearer to a rewritten prompt than doing nothing: SupSAE does not work here."
    if error.high >= 1:
        return "fair", f"{error.count:d} swaps are too few to be sure: they make {made:.0%} of a rewrite's change."
    if error.estimate > WEAK:
        return "poor", f"Edits make {made:.0%} of a rewrite's change on this model: sliders will be weak."
    if error.estimate > GOOD:
        return "fair", f"Edits make {made:.0%} of a rewrite's change on this model: sliders will do less than words do."
    return "good", f"Edits make {made:.0%} of a rewrite's change on this model: sliders should work."


def _beside(by_name: Mapping[str, CheckLine]) -> Iterator[Verdict]:
    reading, swaps = by_name["reading"], by_name["swaps"]
    if reading.holds is False:
        left = swaps.numbers[TOLD]["error"]["estimate"]
        yield "fair", f"Words of prompts are often misread; told where they stand, edits would leave {left:.2f}."
    if (vector := by_name.get("pooled vector")) is not None and vector.holds is False:
        yield "fair", "The pooled vector hardly follows: what this model takes from it stays much as it was."
    drawn = by_name.get("pictures")
    if drawn is not None and drawn.holds is False:
        yield "fair", "The pictures do not follow, though the rows do: look at the sheet."
    if drawn is None or drawn.holds is None:
        yield "good", "No picture was looked at, and only pictures can tell."
    good, weak, nothing = 1 - GOOD, 1 - WEAK, 1 - NOTHING
    yield (
        "good",
        f"Where verdicts part ({good:.0%}, {weak:.0%}, {nothing:.0%} of a rewrite's change) was set on small models.",
    )
