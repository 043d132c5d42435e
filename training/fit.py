"""Fit a dictionary: gather statistics from a capture, solve every part, then calibrate it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..supsae_core.capture.captures import Capture, Plan
from ..supsae_core.capture.statistics import Statistics
from ..supsae_core.dictionary.model import POOLED, Dictionary, Part
from ..supsae_core.host import Progress
from ..supsae_core.version import __version__
from . import streams
from .calibration import calibrate
from .capture import unmentioned
from .gather import gather, groups
from .solvers.exact import EXACT, ExactConfig, Solution, exact, to_codes

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


def fit(capture: Capture, config: ExactConfig = EXACT, *, progress: Progress | None = None) -> Dictionary:
    """Fit, calibrate and describe a dictionary.

    Args:
        capture: finished.
        config: of the exact solver.
        progress: called with (done, total).

    Raises:
        ValueError: if the capture is not finished, damaged, or too small to fit anything.
    """
    began = time.perf_counter()
    plan, recorded = capture.plan, streams.finished(capture)
    tick = _ticker(progress, 2 + len(plan.family.encoders) + streams.ticks(plan))
    statistics = gather(capture, capture.read(), "fit")
    tick()
    group = groups(capture)
    solving = time.perf_counter()
    parts, measured = {}, {}
    for encoder in plan.family.encoders:
        solution = exact(statistics[encoder.name], group, len(plan.table.phrases), config)
        parts[encoder.name] = make_part(solution, statistics[encoder.name], group, len(plan.table.phrases))
        measured[encoder.name] = solution.measured
        tick()
    if plan.family.pooled:
        alone = torch.zeros(1, dtype=torch.int64)
        solution = exact(statistics[POOLED], alone, 0, config)
        parts[POOLED] = make_part(solution, statistics[POOLED], alone, 0)
        measured[POOLED] = {k: v for k, v in solution.measured.items() if k not in ("fvu_token", "fvu_token_constant")}
    solved = time.perf_counter()
    supports = [entry.prompt.support(plan.table) for entry in plan.entries if entry.set == "fit"]
    dictionary = Dictionary(
        plan.table, plan.family, parts, unmentioned(plan.table, supports), ((1.0, 1.0),), _provenance(plan), {}
    )
    dictionary, report = calibrate(dictionary, [row for row in capture.read() if row.entry.set != "fit"])
    tick()
    if recorded:
        dictionary, report["streams"] = streams.fit(dictionary, recorded, tick)
    seconds = {"solve_seconds": round(solved - solving, 3), "fit_seconds": round(time.perf_counter() - began, 3)}
    report = {"parts": measured, **report, **seconds, "never_captured": _never(dictionary)}
    return replace(dictionary, report=report)


def make_part(solution: Solution, statistics: Statistics, group: Tensor, phrases: int) -> Part:
    """Build a part in the precision of its file (half for codes and decoder), not yet calibrated."""
    moments = _moments(statistics, phrases)
    decoder = solution.decoder
    rest = _rest(solution, statistics, group, phrases)
    return Part(
        **vars(to_codes(solution, statistics.lengths, group)),
        within=_whitener(decoder @ moments.within @ decoder.T),
        rest=_whitener(rest),
        around=_whitener(decoder @ moments.around @ decoder.T),
        middle=decoder @ (moments.middle - solution.origin),
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
    return Moments(within.float(), about.float(), middle.float())


def _halves(phrases: int) -> tuple[slice, slice]:
    return slice(0, phrases), slice(phrases, None)


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


SOLVERS: dict[str, Callable[..., Dictionary]] = {"exact": fit}
"""Solver → (capture, config, progress=…) → dictionary."""


# --- description ---------------------------------------------------------------------------------------------------


def _provenance(plan: Plan) -> dict[str, Any]:
    how = plan.sampling
    return {
        "fingerprint": {
            site: list(values) for site, values in {**plan.fingerprint, **(how.fingerprint if how else {})}.items()
        },
        **({"sampling": streams.described(how)} if how else {}),
        "prompts": sum(entry.set == "fit" for entry in plan.entries),
        "held_out": [list(pair) for pair in plan.held_out],
        "seed": plan.seed,
        "length_policy": plan.family.length_policy,
        "tool": f"supsae {__version__}",
        "licence": "",
    }


def _never(dictionary: Dictionary) -> list[str]:
    return [str(concept) for index, concept in enumerate(dictionary.table.concepts) if dictionary.writes[index] is None]


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))

    def tick() -> None:
        if progress:
            progress(next(done), total)

    return tick
