"""Fit a dictionary: gather statistics from a capture, solve every part, then calibrate on the rewrites it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .. import __version__
from ..supsae_core import readout
from ..supsae_core.apply import apply
from ..supsae_core.captures import Capture, Encoded, Plan
from ..supsae_core.dictionary import POOLED, Dictionary, Part
from ..supsae_core.edits import Swap
from ..supsae_core.slots import ROLES, Layout, layout_of, rows_of
from ..supsae_core.statistics import Statistics, Sums
from . import paper
from .capture import unmentioned
from .gather import gather, groups
from .solvers import EXACT, ExactConfig, Solution, exact

GAIN_RANGE = (0.8, 1.25)
"""A calibration outside means that the concept was poorly learnt (science.md, item 8)."""
SHRINK = 1e-3
"""Share of the mean variance added to token covariances before they are inverted."""


class Moments(NamedTuple):
    """What reading needs beyond the codes, in full width."""

    within: Tensor
    """(d, d) covariance of tokens about their slot's mean"""
    around: Tensor
    """(d, d) covariance of the tokens of concepts"""
    middle: Tensor
    """(d,) their mean"""
    tail: Tensor
    """(2, d + 1) linear scores of being the end and of being a pad"""


def fit(
    capture: Capture, config: ExactConfig = EXACT, *, progress: Callable[[int, int], None] | None = None
) -> Dictionary:
    """Fit, calibrate and describe a dictionary.

    Args:
        capture: finished.
        config: of the exact solver.
        progress: called with (done, total).

    Raises:
        ValueError: if the capture is not finished, damaged, or too small to fit anything.
    """
    began = time.perf_counter()
    plan, tick = capture.plan, _ticker(progress, 2 + len(capture.plan.format.encoders))
    statistics = gather(capture, capture.read(), "fit")
    tick()
    group = groups(capture)
    solving = time.perf_counter()
    parts, measured = {}, {}
    for encoder in plan.format.encoders:
        solution = exact(statistics[encoder.name], group, len(plan.table.phrases), config)
        parts[encoder.name] = make_part(solution, statistics[encoder.name], group, len(plan.table.phrases))
        measured[encoder.name] = solution.measured
        tick()
    alone = torch.zeros(1, dtype=torch.int64)
    solution = exact(statistics[POOLED], alone, 0, config)
    parts[POOLED] = make_part(solution, statistics[POOLED], alone, 0)
    measured[POOLED] = {k: v for k, v in solution.measured.items() if k not in ("fvu_token", "fvu_token_constant")}
    solved = time.perf_counter()
    supports = [entry.prompt.support(plan.table) for entry in plan.entries if entry.set == "fit"]
    dictionary = Dictionary(
        plan.table, plan.format, parts, unmentioned(plan.table, supports), ((1.0, 1.0),), _provenance(plan), {}
    )
    dictionary, report = calibrate(dictionary, [row for row in capture.read() if row.entry.set != "fit"])
    tick()
    seconds = {"solve_seconds": round(solved - solving, 3), "fit_seconds": round(time.perf_counter() - began, 3)}
    report = {"parts": measured, **report, **seconds, "never_captured": _never(dictionary)}
    return replace(dictionary, report=report)


def make_part(solution: Solution, statistics: Statistics, group: Tensor, phrases: int) -> Part:
    """Build a part in the precision of its file (half for codes and decoder), not yet calibrated."""
    moments = _moments(statistics, phrases)
    decoder = solution.decoder
    rest = _rest(solution, statistics, group, phrases)
    half = lambda x: x.half().float().contiguous()  # noqa: E731 - laid out as a file's, so that sums round alike
    return Part(
        origin=half(solution.origin),
        decoder=half(decoder),
        constant=half(solution.constant),
        shared=half(solution.shared),
        own=half(solution.own),
        mean_label=half(solution.mean_label),
        lengths=statistics.lengths,
        group=group,
        gain=torch.ones(solution.shared.shape[1]),
        within=_whitener(decoder @ moments.within @ decoder.T),
        rest=_whitener(rest),
        around=_whitener(decoder @ moments.around @ decoder.T),
        middle=decoder @ (moments.middle - solution.origin),
        tail=_through(decoder, solution.origin, moments.tail),
        threshold=torch.zeros(2),
    )


def _moments(statistics: Statistics, phrases: int) -> Moments:
    sums = statistics.total()
    mean, counts = sums.mean_token, sums.count
    explained = [torch.einsum("s,std,ste->de", counts[part], mean[part], mean[part]) for part in _halves(phrases)]
    tokens = [(counts * sums.lengths)[part].sum() for part in _halves(phrases)]
    within = (statistics.moment - torch.stack(explained)).sum(0) / (tokens[0] + tokens[1])
    part = slice(0, phrases or None)
    middle = sums.token[part].sum((0, 1)) / (counts * sums.lengths)[part].sum()
    seen = statistics.moment[0 if phrases else 1] / tokens[0 if phrases else 1]
    about = seen - torch.outer(middle, middle)
    tail = [_role_score(sums, within, middle, phrases, role) for role in ("end", "pad")]
    return Moments(within.float(), about.float(), middle.float(), torch.stack(tail))


def _halves(phrases: int) -> tuple[slice, slice]:
    return slice(0, phrases), slice(phrases, None)


def _role_score(sums: Sums, within: Tensor, middle: Tensor, phrases: int, role: str) -> Tensor:
    """Linear discriminant of a role's rows against the text, w·x + b; never, if the role was not seen."""
    slot = phrases + ROLES.index(role)
    if not phrases or not float(sums.count[slot]):
        return torch.cat([torch.zeros_like(middle), middle.new_tensor([-1.0])]).float()
    mean = sums.mean_token[slot, 0]
    weight = torch.linalg.solve(_shrunk(within), mean - middle)
    return torch.cat([weight, -(weight @ (mean + middle) / 2)[None]]).float()


def _shrunk(covariance: Tensor) -> Tensor:
    return covariance + SHRINK * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)


def _rest(solution: Solution, statistics: Statistics, group: Tensor, phrases: int) -> Tensor:
    """Return the covariance (r, r), in codes, of phrases' tokens (all tokens if there are none) about their decode.

    It is drawn towards the covariance about the slots' means, the more the fewer tokens there are for its width: what
    few prompts leave unexplained in the fit is less than what they leave in a prompt to come.
    """
    sums, part = statistics.total(), slice(0, phrases or None)
    gram, cross = (x[part] for x in sums.centred())
    tokens, mean = sums.lengths[part].double(), sums.mean_token[part]
    decoder = solution.decoder.double()
    slope = (solution.shared[group[part]] + solution.own[part]).double()
    spread = statistics.moment[0 if phrases else 1] - torch.einsum("s,std,ste->de", sums.count[part], mean, mean)
    both = torch.einsum("s,skr,skq->rq", tokens, cross @ decoder.T, slope)
    explained = torch.einsum("s,skr,skl,slq->rq", tokens, slope, gram, slope)
    count, spread = (sums.count[part] * tokens).sum(), decoder @ spread @ decoder.T
    share = len(decoder) / (len(decoder) + count)
    return ((1 - share) * (spread - both - both.T + explained) + share * spread) / count


def _whitener(covariance: Tensor) -> Tensor:
    """Return upper triangular w with ‖z w‖² = zᵀ Σ⁻¹ z."""
    lower = torch.linalg.cholesky(_shrunk(covariance.double()))
    return torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False).T.float()


def _through(decoder: Tensor, origin: Tensor, score: Tensor) -> Tensor:
    """Express linear scores of features (·, d + 1) as scores of codes (·, r + 1)."""
    weight, bias = score[:, :-1], score[:, -1:]
    return torch.cat([weight @ decoder.T, weight @ origin[:, None] + bias], 1)


# --- calibration ---------------------------------------------------------------------------------------------------


def calibrate(dictionary: Dictionary, rows: Sequence[Encoded]) -> tuple[Dictionary, dict[str, Any]]:
    """Set thresholds and gains from the calibration prompts and their rewrites; report what they say."""
    known = [row for row in rows if row.entry.set == "calibration"]
    rewrites = [row for row in rows if row.entry.set == "rewrite"]
    dictionary = _with_thresholds(dictionary, known)
    located = locate_accuracy(dictionary, rewrites)  # not the prompts that the thresholds were chosen on
    pairs = list(zip(known, rewrites, strict=True))
    gains, spread = _gains(dictionary, pairs)
    parts = {name: replace(part, gain=gains[name]) for name, part in dictionary.parts.items()}
    low, high = GAIN_RANGE
    overall = torch.stack(list(gains.values())).mean(0)
    poorly = [str(dictionary.table.concepts[i]) for i, g in enumerate(overall.tolist()) if not low <= g <= high]
    report = {
        "locate": located,
        "calibration": {name: {"mean": float(gain.mean()), "spread": spread[name]} for name, gain in gains.items()},
        "poorly_learnt": poorly,
    }
    return replace(dictionary, parts=parts), report


def known_reading(dictionary: Dictionary, row: Encoded) -> readout.Reading:
    """Return the layout of a captured prompt as if it had been read without a fault."""
    rows = rows_of(row.cond, dictionary.format)
    layouts = layout_of(dictionary.format, dictionary.table, row.entry.prompt, row.entry.counts, rows)
    lead = dictionary.format.encoders[-1].name
    found = tuple(readout.Found(span.phrase, span.rows, 1.0) for span in layouts[lead].spans)
    return readout.Reading(layouts, found, rows)


def locate_accuracy(dictionary: Dictionary, rows: Sequence[Encoded]) -> float:
    """Return the share of (prompt, category) read right: concept and exact span, or unmentioned where it is."""
    right = total = 0
    for row in rows:
        seen, truth = readout.read(dictionary, row.cond), known_reading(dictionary, row)
        for members in dictionary.table.categories.values():
            right += _of(dictionary, seen, members) == _of(dictionary, truth, members)
            total += 1
    return right / max(total, 1)


def _of(dictionary: Dictionary, reading: readout.Reading, members: Sequence[int]) -> set[tuple[int, tuple[int, ...]]]:
    phrases = dictionary.table.phrases
    return {(phrases[one.phrase].concept, one.rows) for one in reading.found if phrases[one.phrase].concept in members}


def _with_thresholds(dictionary: Dictionary, rows: Sequence[Encoded]) -> Dictionary:
    """Put both thresholds of every encoder where true places and the best false ones part with the fewest errors."""
    parts = dict(dictionary.parts)
    truths = [known_reading(dictionary, row) for row in rows]
    for encoder in dictionary.format.encoders:
        cuts = torch.zeros(2)
        for look in range(2):
            true, false = [], []
            for row, truth in zip(rows, truths, strict=True):
                places = readout.scores(dictionary, encoder, row.cond, truth.rows)
                if look:
                    known = readout.pick(dictionary, encoder, places, None, float(cuts[0]))
                    places = readout.scores(dictionary, encoder, row.cond, truth.rows, known)
                some = true_and_false(places, truth.layouts[encoder.name])
                true += some[0]
                false += some[1]
            cuts[look] = best_threshold(true, false)
        parts[encoder.name] = replace(parts[encoder.name], threshold=cuts)
    return replace(dictionary, parts=parts)


def true_and_false(places: readout.Places, layout: Layout) -> tuple[list[float], list[float]]:
    """Return the scores of the phrases where they stand, and the best score of every phrase away from all of them."""
    at = {row: place for place, row in enumerate(places.words)}
    true = [float(places.table[span.phrase, at[span.rows[0]]]) for span in layout.spans if span.rows[0] in at]
    taken = {row for span in layout.spans for row in span.rows}
    free = [place for row, place in at.items() if row not in taken]
    best = places.table[:, free].max(1).values if free else torch.empty(0)
    return true, [float(v) for v in best if torch.isfinite(v)]


def best_threshold(true: Sequence[float], false: Sequence[float]) -> float:
    """Return the cut, between two scores or below all, with the fewest errors; of equal ones the middle one."""
    if not true:
        return 0.0
    cuts = sorted({*true, *false})
    middles = [cuts[0] - 1e-3, *[(a + b) / 2 for a, b in zip(cuts, cuts[1:], strict=False)]]
    t, f = torch.tensor(sorted(true)), torch.tensor(sorted(false))
    at = torch.tensor(middles)
    errors = torch.searchsorted(t, at) + len(f) - torch.searchsorted(f, at)
    good = [i for i, e in enumerate(errors.tolist()) if e == int(errors.min())]
    return middles[good[len(good) // 2]]


def _gains(
    dictionary: Dictionary, pairs: Sequence[tuple[Encoded, Encoded]]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return per part the gains (K,), ⟨Δ, Δ_word⟩ / ‖Δ‖² over the calibration swaps, shrunk to the part's mean."""
    sums = {name: torch.zeros(2, len(dictionary.table)) for name in dictionary.parts}
    for before, after in pairs:
        new = _swapped(dictionary, before, after)
        try:
            moved, word = _moves(dictionary, before, after, new)
        except ValueError:  # never captured, or the prompt leaves no room for a longer phrase
            continue
        for name in dictionary.parts:
            sums[name][0, new] += (moved[name] * word[name]).sum()
            sums[name][1, new] += moved[name].square().sum()
    gains, spread = {}, {}
    for name, (dot, norm) in sums.items():
        mean = dot.sum() / norm.sum().clamp(min=1e-12)
        typical = norm[norm > 0].mean() if bool((norm > 0).any()) else norm.new_tensor(1.0)
        gains[name] = (dot + mean * typical) / (norm + typical)  # one typical swap's weight of prior
        spread[name] = float(gains[name].std()) if len(norm) > 1 else 0.0
    return gains, spread


def _swapped(dictionary: Dictionary, before: Encoded, after: Encoded) -> int:
    supports = [row.entry.prompt.support(dictionary.table) for row in (before, after)]
    return next(new for old, new in zip(*supports, strict=True) if old != new)


def _moves(
    dictionary: Dictionary, before: Encoded, after: Encoded, new: int
) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    """The change that the dictionary makes and the one that the rewrite makes, on rows that stand for one another."""
    reading, target = known_reading(dictionary, before), known_reading(dictionary, after)
    made = apply(dictionary, before.cond, before.pooled, [Swap(str(dictionary.table.concepts[new]))], reading)
    assert made.pooled is not None
    moved: dict[str, Tensor] = {POOLED: made.pooled - before.pooled}
    word: dict[str, Tensor] = {POOLED: after.pooled - before.pooled}
    for encoder in dictionary.format.encoders:
        here, there = paired_rows(reading.layouts[encoder.name], target.layouts[encoder.name])
        columns = slice(encoder.first, encoder.last)
        moved[encoder.name] = made.cond[here, columns] - before.cond[here, columns]
        word[encoder.name] = after.cond[there, columns] - before.cond[here, columns]
    return moved, word


def paired_rows(one: Layout, other: Layout) -> tuple[list[int], list[int]]:
    """Pair the rows of a prompt and its rewrite: span with span, role with role, in order, as far as both go."""
    here, there = [], []
    for a, b in [
        *((s.rows, t.rows) for s, t in zip(one.spans, other.spans, strict=True)),
        *zip(one.roles, other.roles, strict=True),
    ]:
        for i, j in zip(a, b, strict=False):
            here.append(i)
            there.append(j)
    return here, there


SOLVERS: dict[str, Callable[..., Dictionary | paper.Flattened]] = {"exact": fit, "paper": paper.fit}
"""Solver → (capture, config, progress=…) → what it makes. ``exact`` makes dictionaries; ``paper`` is for comparison."""


# --- description ---------------------------------------------------------------------------------------------------


def _provenance(plan: Plan) -> dict[str, Any]:
    return {
        "fingerprint": {site: list(values) for site, values in plan.fingerprint.items()},
        "prompts": sum(entry.set == "fit" for entry in plan.entries),
        "held_out": [list(pair) for pair in plan.held_out],
        "seed": plan.seed,
        "length_policy": f"at least {plan.format.chunk} rows",
        "tool": f"supsae {__version__}",
        "licence": "",
    }


def _never(dictionary: Dictionary) -> list[str]:
    return [str(concept) for index, concept in enumerate(dictionary.table.concepts) if dictionary.writes[index] is None]


def _ticker(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))

    def tick() -> None:
        if progress:
            progress(next(done), total)

    return tick
