"""Fit the streams inside the model: codes at every site and noise level, calibrated on the rewrites of a capture.

See docs/method.md, 17.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from einops import reduce, repeat
from torch import Tensor

from ..supsae_core.capture.activations import Activations, load_activations
from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.plan import ActivationPlan, TextPlan
from ..supsae_core.capture.sampling import Sampling
from ..supsae_core.capture.statistics import Statistics
from ..supsae_core.dictionary.model import Codes, Dictionary
from ..supsae_core.editing.change import Change
from ..supsae_core.editing.edits import Swap, resolve_edits
from ..supsae_core.editing.steer import step_of
from ..supsae_core.encoders.streams import IMAGE, groups_of, parse_part, writer_of
from ..supsae_core.reading.readout import Reading
from . import ranks
from .calibration import known_reading, paired_rows, shrunk_gain, swapped
from .solvers.groups import Groups
from .solvers.solution import to_codes
from .solvers.table import Solver


class Pair(NamedTuple):
    """One calibration prompt and its rewrite."""

    place: int
    """of the prompt in the plan; the rewrite is the next"""
    reading: Reading
    target: Reading
    changes: list[Change]
    new: int
    """concept that the rewrite says"""


def finished(capture: Capture) -> Activations | None:
    """Return what a capture recorded of the streams, None if it is one of text alone.

    Raises:
        ValueError: if prompts are missing, or files are damaged.
    """
    if not isinstance(capture.plan, ActivationPlan):
        return None
    found = load_activations(capture)
    if found.missing:
        raise ValueError(
            f"The capture in {capture.folder} is not finished ({len(found.missing)} of {len(capture.plan.entries)} "
            "prompts are not sampled). Run Capture again: it goes on where it stopped."
        )
    return found


def fit_streams(
    dictionary: Dictionary, found: Activations, solve: Solver, tick: Callable[[], None]
) -> tuple[Dictionary, dict[str, Any]]:
    """Add the codes of every recorded stream to a dictionary fitted on the same capture's text, each on its rank.

    Args:
        dictionary: fitted and calibrated on the text.

    Returns:
        the dictionary, and part → what was measured at every noise level.
    """
    plan, pairs = found.plan, _pairs(dictionary, found)
    names = plan.sampling.parts(plan.family)

    def make(name: str) -> tuple[list[Codes], list[dict[str, float]]]:
        made = _fitted(dictionary, name, found, solve, pairs)
        tick()
        return made

    told = ranks.told_levels(names, make)
    streams = {name: tuple(levels) for name, (levels, _) in told.items()}
    report = {name: said for name, (_, said) in told.items()}
    return replace(dictionary, streams=streams, centres=plan.sampling.centres), report


def _fitted(
    dictionary: Dictionary, name: str, found: Activations, solve: Solver, pairs: Sequence[Pair]
) -> tuple[list[Codes], list[dict[str, float]]]:
    """Return the codes of a part at every noise level, calibrated, and what was measured at each."""
    solved = [_solve(dictionary, name, one, solve) for one in found.sums(name)]
    gained = _gains(dictionary, name, [codes for codes, _ in solved], pairs, found)
    made = [replace(codes, gains=one.gain) for (codes, _), one in zip(solved, gained, strict=True)]
    return made, [_described(*both) for both in zip([one for _, one in solved], gained, strict=True)]


def ticks(plan: TextPlan) -> int:
    """Return how often ``fit`` will tell that something is done."""
    return len(plan.sampling.parts(plan.family)) if isinstance(plan, ActivationPlan) else 0


def describe_sampling(how: Sampling) -> dict[str, Any]:
    """Return what a dictionary's provenance says of the sampling."""
    return {"steps": how.steps, "cfg": how.cfg, "width": how.width, "height": how.height}


def _solve(dictionary: Dictionary, name: str, statistics: Statistics, solve: Solver) -> tuple[Codes, dict[str, float]]:
    phrases = 0 if parse_part(name)[1] in ("mean", "positions") else len(dictionary.table.phrases)
    groups = Groups(groups_of(name, dictionary.table, len(statistics.lengths)), phrases)
    solution = solve(statistics, groups)
    return to_codes(solution, statistics.lengths, groups), solution.measured


class Gained(NamedTuple):
    """The calibration of a part at one noise level."""

    gain: Tensor
    """(K,)"""
    agreement: float
    """cosine of the changes that the swaps make and those that their words make"""


def _described(measured: Mapping[str, float], gained: Gained) -> dict[str, float]:
    numbers = {**measured, "gain": float(gained.gain.mean()), "agreement": gained.agreement}
    return {name: round(value, 4) for name, value in numbers.items()}


def _pairs(dictionary: Dictionary, found: Activations) -> list[Pair]:
    """Pair the calibration prompts with their rewrites; swaps for a concept that was never captured are left out."""
    made = []
    places = [place for place, entry in enumerate(found.plan.entries) if entry.set == "calibration"]
    for place in places:
        before, after = found.capture.pick([place, place + 1])
        reading, new = known_reading(dictionary, before), swapped(dictionary, before, after)
        if dictionary.writes[new] is not None:
            swap = Swap(str(dictionary.table.concepts[new]))
            changes = resolve_edits(dictionary, [swap], reading.concepts(dictionary))
            made.append(Pair(place, reading, known_reading(dictionary, after), changes, new))
    return made


def _gains(
    dictionary: Dictionary, name: str, levels: Sequence[Codes], pairs: Sequence[Pair], found: Activations
) -> list[Gained]:
    site, rows = parse_part(name)
    sums = torch.zeros(len(levels), 3, len(dictionary.table))  # ⟨Δ, Δ_word⟩, ‖Δ‖² and ‖Δ_word‖²
    for pair in pairs:
        here, there = _paired(dictionary, rows, pair, len(levels[0].slot_tokens))
        words = found.rows(pair.place + 1, site)[:, there] - found.rows(pair.place, site)[:, here]
        for codes, word, total in zip(levels, words, sums, strict=True):
            try:
                step = step_of(rows)(dictionary, codes, pair.reading, pair.changes)
            except ValueError:  # the prompt leaves no room for a longer phrase
                continue
            moved = repeat(step, "1 d -> place d", place=len(here)) if rows == "attention" else step[here]
            total[:, pair.new] += torch.stack([(moved * word).sum(), moved.square().sum(), word.square().sum()])
    dot, moved, word = reduce(sums, "level product concept -> product level", "sum")
    agreement = dot / (moved * word).sqrt().clamp(min=1e-12)
    return [Gained(shrunk_gain(*one[:2]), cosine) for one, cosine in zip(sums, agreement.tolist(), strict=True)]


def _paired(dictionary: Dictionary, rows: str, pair: Pair, slots: int) -> tuple[list[int], list[int]]:
    """Pair the recorded rows of a prompt and its rewrite that a part's step is about."""
    if rows not in IMAGE:
        encoder = writer_of(rows, dictionary.family, pair.reading.layouts)
        if encoder is None or encoder.name not in pair.target.layouts:
            return [], []
        return paired_rows(pair.reading.layouts[encoder.name], pair.target.layouts[encoder.name])
    if rows == "attention":
        olds = {change.old for change in pair.changes}
        places = [i for i, concept in enumerate(pair.reading.concepts(dictionary)) if concept in olds]
        return places, places
    tokens = list(range(slots))
    return tokens, tokens
