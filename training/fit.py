"""Fit a dictionary: gather statistics from a capture, solve every part, then calibrate on the rewrites it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .. import __version__
from ..supsae_core import readout
from ..supsae_core.apply import apply
from ..supsae_core.captures import Capture, Encoded
from ..supsae_core.dictionary import POOLED, Dictionary, Part
from ..supsae_core.edits import Swap
from ..supsae_core.slots import ROLES, Encoder, Layout, Rows, company, layout_of, rows_of
from ..supsae_core.statistics import Statistics, fold_of
from .capture import unmentioned
from .solvers import ExactConfig, Solution, exact

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
    pad: Tensor
    """(d + 1,) linear score of being a pad"""


def fit(
    capture: Capture, config: ExactConfig = ExactConfig(), *, progress: Callable[[int, int], None] | None = None
) -> Dictionary:
    """Fit, calibrate and describe a dictionary.

    Args:
        capture: finished.
        config: of the exact solver.
        progress: called with (done, total).

    Raises:
        ValueError: if the capture is not finished or damaged.
    """
    began = time.perf_counter()
    rows = list(capture.read())
    plan, tick = capture.plan, _ticker(progress, 3 + len(capture.plan.format.encoders))
    tick()
    statistics = gather(capture, rows, "fit")
    tick()
    group = groups(capture)
    solving = time.perf_counter()
    parts, measured = {}, {}
    for encoder in plan.format.encoders:
        solution = exact(statistics[encoder.name], group, len(plan.table.phrases), config)
        parts[encoder.name] = _part(solution, statistics[encoder.name], group, len(plan.table.phrases))
        measured[encoder.name] = solution.measured
        tick()
    alone = torch.zeros(1, dtype=torch.int64)
    solution = exact(statistics[POOLED], alone, 0, config)
    parts[POOLED] = _part(solution, statistics[POOLED], alone, 0)
    measured[POOLED] = {k: v for k, v in solution.measured.items() if k not in ("fvu_token", "fvu_token_constant")}
    solved = time.perf_counter()
    fits = [row for row in rows if row.entry.set == "fit"]
    supports = [row.entry.prompt.support(plan.table) for row in fits]
    dictionary = Dictionary(
        plan.table, plan.format, parts, unmentioned(plan.table, supports), ((1.0, 1.0),), _provenance(capture, fits), {}
    )
    dictionary, report = calibrate(dictionary, rows)
    tick()
    seconds = {"solve_seconds": round(solved - solving, 3), "fit_seconds": round(time.perf_counter() - began, 3)}
    report = {"parts": measured, **report, **seconds, "never_captured": _never(dictionary)}
    return replace(dictionary, report=report)


def groups(capture: Capture) -> Tensor:
    """Return (S,) the group of every slot: its category, or one of its own for a role."""
    table = capture.plan.table
    phrases = [table.category_of[phrase.concept] for phrase in table.phrases]
    return torch.tensor(phrases + [len(table.categories) + role for role in range(len(ROLES))])


def gather(capture: Capture, rows: Iterable[Encoded], name: str) -> dict[str, Statistics]:
    """Sum up the rows of one set of prompts, per encoder and for the pooled vector."""
    plan = capture.plan
    size, slots = len(plan.table), len(plan.table.phrases) + len(ROLES)
    longest = {
        encoder.name: _longest(plan.entries, encoder.name, plan.format.chunk) for encoder in plan.format.encoders
    }
    found = {
        encoder.name: Statistics.zeros(slots, size, longest[encoder.name], encoder.last - encoder.first)
        for encoder in plan.format.encoders
    }
    found[POOLED] = Statistics.zeros(1, size, 1, plan.format.pooled)
    samples: dict[tuple[str, int, int], list[tuple[Tensor, Tensor]]] = {}
    for row in rows:
        if row.entry.set == name:
            _collect(capture, row, samples)
    for (part, fold, slot), some in samples.items():
        concept = part != POOLED and slot < len(plan.table.phrases)
        found[part].add(fold, slot, torch.cat([a for a, _ in some]), torch.cat([x for _, x in some]), concept)
    return found


def _longest(entries: Sequence[Any], name: str, chunk: int) -> int:
    return min(chunk, max((sum(e.counts[name][m.start : m.stop]) for e in entries for m in e.prompt.mentions), default=1))


def _collect(capture: Capture, row: Encoded, samples: dict[tuple[str, int, int], list[tuple[Tensor, Tensor]]]) -> None:
    plan = capture.plan
    table, fold = plan.table, fold_of(row.entry.prompt.text)
    rows = rows_of(row.cond, plan.format)
    layouts = layout_of(plan.format, table, row.entry.prompt, row.entry.counts, rows)
    support = row.entry.prompt.support(table)
    label = torch.zeros(1, len(table))
    label[0, list(support)] = 1
    samples.setdefault((POOLED, fold, 0), []).append((label, row.pooled[None, None]))
    for encoder in plan.format.encoders:
        layout = layouts[encoder.name]
        chunk = plan.format.chunk if encoder.causal else None
        labels = company(layout, support, len(table), len(row.cond), chunk)
        x = row.cond[:, encoder.first : encoder.last]
        for span in layout.spans:
            at = list(span.rows)
            samples.setdefault((encoder.name, fold, span.phrase), []).append((labels[at[:1]], x[at][None]))
        for role, places in enumerate(layout.roles):
            if places:
                at = list(places)
                slot = len(table.phrases) + role
                samples.setdefault((encoder.name, fold, slot), []).append((labels[at], x[at][:, None]))


def _part(solution: Solution, statistics: Statistics, group: Tensor, phrases: int) -> Part:
    """Build a part in the precision of its file (half for codes and decoder), not yet calibrated."""
    moments = _moments(statistics, phrases)
    decoder = solution.decoder
    half = lambda x: x.half().float()  # noqa: E731
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
        within=_whitener(decoder, moments.within),
        around=_whitener(decoder, moments.around),
        middle=decoder @ (moments.middle - solution.origin),
        pad=_through(decoder, solution.origin, moments.pad),
        threshold=torch.tensor(0.0),
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
    return Moments(within.float(), about.float(), middle.float(), _pad_score(sums, within, middle, phrases))


def _halves(phrases: int) -> tuple[slice, slice]:
    return slice(0, phrases), slice(phrases, None)


def _pad_score(sums: Any, within: Tensor, middle: Tensor, phrases: int) -> Tensor:
    """Linear discriminant of pads against the text, w·x + b."""
    if not phrases or not float(sums.count[phrases + ROLES.index("pad")]):
        return torch.cat([torch.zeros_like(middle), middle.new_tensor([-1.0])]).float()
    pad = sums.mean_token[phrases + ROLES.index("pad"), 0]
    weight = torch.linalg.solve(_shrunk(within), pad - middle)
    return torch.cat([weight, -(weight @ (pad + middle) / 2)[None]]).float()


def _shrunk(covariance: Tensor) -> Tensor:
    return covariance + SHRINK * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)


def _whitener(decoder: Tensor, covariance: Tensor) -> Tensor:
    """Return upper triangular w with ‖z w‖² = zᵀ Σ⁻¹ z for codes z."""
    narrow = _shrunk(decoder.double() @ covariance.double() @ decoder.double().T)
    lower = torch.linalg.cholesky(narrow)
    return torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False).T.float()


def _through(decoder: Tensor, origin: Tensor, score: Tensor) -> Tensor:
    """Express a linear score of features as one of codes."""
    return torch.cat([decoder @ score[:-1], (score[:-1] @ origin + score[-1])[None]])


# --- calibration ---------------------------------------------------------------------------------------------------


def calibrate(dictionary: Dictionary, rows: Sequence[Encoded]) -> tuple[Dictionary, dict[str, Any]]:
    """Set thresholds and gains from the calibration prompts and their rewrites; report what they say."""
    known = [row for row in rows if row.entry.set == "calibration"]
    dictionary = _with_thresholds(dictionary, known)
    located = locate_accuracy(dictionary, known)
    pairs = list(zip(known, [row for row in rows if row.entry.set == "rewrite"], strict=True))
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
    """Put every encoder's threshold where true places and the best false ones are parted with the fewest errors."""
    parts = dict(dictionary.parts)
    for encoder in dictionary.format.encoders:
        true, false = [], []
        for row in rows:
            truth = known_reading(dictionary, row)
            some = _place_scores(dictionary, encoder, row, truth.layouts[encoder.name], truth.rows)
            true += some[0]
            false += some[1]
        parts[encoder.name] = replace(parts[encoder.name], threshold=torch.tensor(best_threshold(true, false)))
    return replace(dictionary, parts=parts)


def _place_scores(
    dictionary: Dictionary, encoder: Encoder, row: Encoded, layout: Layout, rows: Rows
) -> tuple[list[float], list[float]]:
    """Scores of the true places, and the best score of every other category away from them."""
    words, table = readout.scores(dictionary, encoder, row.cond, rows)
    true, taken = [], set()
    for span in layout.spans:
        place = span.rows[0] - words.start
        taken |= {r - words.start for r in span.rows}
        if 0 <= place < table.shape[1]:
            true.append(float(table[span.phrase, place]))
    free = [place for place in range(table.shape[1]) if place not in taken]
    best = table[:, free].max(1).values if free else torch.empty(0)
    return true, [float(v) for v in best if torch.isfinite(v)]


def best_threshold(true: Sequence[float], false: Sequence[float]) -> float:
    """Return the cut with the fewest errors; of equal ones the middle of the widest gap."""
    if not true:
        return 0.0
    cuts = sorted({*true, *false})
    middles = [cuts[0] - 1e-3, *[(a + b) / 2 for a, b in zip(cuts, cuts[1:], strict=False)]]
    t, f = torch.tensor(sorted(true)), torch.tensor(sorted(false))
    at = torch.tensor(middles)
    errors = torch.searchsorted(t, at) + len(f) - torch.searchsorted(f, at)
    good = [i for i, e in enumerate(errors.tolist()) if e == int(errors.min())]
    return middles[good[len(good) // 2]]


def _gains(dictionary: Dictionary, pairs: Sequence[tuple[Encoded, Encoded]]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return per part the gains (K,), ⟨Δ, Δ_word⟩ / ‖Δ‖² over the calibration swaps, shrunk to the part's mean."""
    sums = {name: torch.zeros(2, len(dictionary.table)) for name in dictionary.parts}
    for before, after in pairs:
        new, moved, word = _moves(dictionary, before, after)
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


def _moves(dictionary: Dictionary, before: Encoded, after: Encoded) -> tuple[int, Mapping[str, Tensor], Mapping[str, Tensor]]:
    """The change that the dictionary makes and the one that the rewrite makes, on rows that stand for one another."""
    table = dictionary.table
    new = next(
        b for a, b in zip(before.entry.prompt.support(table), after.entry.prompt.support(table), strict=True) if a != b
    )
    reading, target = known_reading(dictionary, before), known_reading(dictionary, after)
    made = apply(dictionary, before.cond, before.pooled, [Swap(str(table.concepts[new]))], reading)
    assert made.pooled is not None
    moved: dict[str, Tensor] = {POOLED: made.pooled - before.pooled}
    word: dict[str, Tensor] = {POOLED: after.pooled - before.pooled}
    for encoder in dictionary.format.encoders:
        here, there = paired_rows(reading.layouts[encoder.name], target.layouts[encoder.name])
        columns = slice(encoder.first, encoder.last)
        moved[encoder.name] = made.cond[here, columns] - before.cond[here, columns]
        word[encoder.name] = after.cond[there, columns] - before.cond[here, columns]
    return new, moved, word


def paired_rows(one: Layout, other: Layout) -> tuple[list[int], list[int]]:
    """Pair the rows of a prompt and its rewrite: span with span, role with role, in order, as far as both go."""
    here, there = [], []
    for a, b in [*((s.rows, t.rows) for s, t in zip(one.spans, other.spans, strict=True)), *zip(one.roles, other.roles, strict=True)]:
        for i, j in zip(a, b, strict=False):
            here.append(i)
            there.append(j)
    return here, there


# --- description ---------------------------------------------------------------------------------------------------


def _provenance(capture: Capture, fits: Sequence[Encoded]) -> dict[str, Any]:
    plan = capture.plan
    return {
        "fingerprint": {site: list(values) for site, values in plan.fingerprint.items()},
        "prompts": len(fits),
        "held_out": [list(pair) for pair in plan.held_out],
        "seed": plan.seed,
        "length_policy": f"at least {plan.format.chunk} rows",
        "tool": f"supsae {__version__}",
        "licence": "",
    }


def _never(dictionary: Dictionary) -> list[str]:
    return [str(concept) for index, concept in enumerate(dictionary.table.concepts) if not dictionary.learnt(index)]


def _ticker(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))

    def tick() -> None:
        if progress:
            progress(next(done), total)

    return tick
