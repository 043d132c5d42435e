"""Fit a dictionary: gather statistics from a capture, solve every part, then calibrate it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from einops import einsum, rearrange
from torch import Tensor

from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.kept import Summed
from ..supsae_core.capture.plan import ActivationPlan, TextPlan
from ..supsae_core.capture.statistics import FOLDS
from ..supsae_core.capture.typed import Typed
from ..supsae_core.dictionary.model import POOLED, Dictionary, Part
from ..supsae_core.dictionary.operator import Operator
from ..supsae_core.host import Progress
from ..supsae_core.version import __version__
from . import distributed, ranks, streams
from .calibration import calibrate
from .capture import unmentioned
from .gather import groups
from .operators.fit import fit_operators
from .operators.pooled import with_pairs
from .pace import ticker
from .scatter import Scatter, scatter
from .solvers.groups import Groups
from .solvers.solution import Solution, to_codes
from .solvers.table import DEFAULT, Solver, chosen

ALONE = Groups(torch.zeros(1, dtype=torch.int64), 0)
"""The pooled vector: one slot, which is no phrase."""
SHRINK = 1e-3
"""Share of the mean variance added to token covariances before they are inverted."""


def fit_dictionary(
    capture: Capture, solver: str = DEFAULT, config: Any = None, *, progress: Progress | None = None
) -> Dictionary:
    """Fit, calibrate and describe a dictionary.

    Args:
        config: the solver's options, or None for its defaults.

    Raises:
        ValueError: if there is no such solver, or the capture is not finished, damaged, or too small to fit anything.
    """
    began = time.perf_counter()
    solve = chosen(solver, config)
    plan, recorded = capture.plan, streams.finished(capture)
    tick = ticker(progress, 2 + 2 * len(plan.family.encoders) + streams.ticks(plan))
    typed, owned = Typed(plan), ranks.parts_of(plan.family)
    statistics = ranks.gather_all(capture, typed, owned)
    tick()
    solving = time.perf_counter()
    solutions = distributed.together(lambda: _solved(capture, statistics, solve, tick, typed, ranks.own(owned)))
    known = ranks.told(owned, {name: ({"decoder": one.decoder}, one.measured) for name, one in solutions.items()})
    spread = scatter(capture, {name: one["decoder"] for name, (one, _) in known.items()}, statistics, typed)

    def part_of(name: str) -> Part:
        return make_part(solutions[name], statistics[name], _slots(capture, name), spread[name])

    parts = ranks.told_codes(owned, part_of, Part)
    solved = time.perf_counter()
    supports = [entry.prompt.support(plan.table) for entry in plan.entries if entry.set == "fit"]
    identified = unmentioned(plan.table, supports)
    provenance = {**_provenance(plan), "solver": describe_solver(solver, solve.options)}
    dictionary = Dictionary(plan.table, plan.family, parts, identified, ((1.0, 1.0),), provenance, {})

    def before(name: str) -> Part:
        """A part as all folds but the last give it; it reads as the part does."""
        one, some, slots = solutions[name], statistics[name], _slots(capture, name)
        one = one.without_last or solve(some.whole().without(FOLDS - 1), slots)
        return replace(parts[name], **vars(to_codes(one, some.lengths, slots)))

    def unseen() -> Dictionary:
        return replace(dictionary, parts=ranks.told_codes(owned, before, Part))

    operators, judged = _operators(capture, statistics, unseen, tick, typed, owned)
    dictionary = replace(dictionary, operators=operators)
    dictionary, report = _calibrated(dictionary, capture)
    tick()
    if recorded:
        dictionary, report["streams"] = streams.fit_streams(dictionary, recorded, solve.for_streams(), tick)
    seconds = {"solve_seconds": round(solved - solving, 3), "fit_seconds": round(time.perf_counter() - began, 3)}
    report = {
        "parts": _measured({name: measured for name, (_, measured) in known.items()}),
        "operators": judged,
        **report,
        **seconds,
        "never_captured": _never(dictionary),
    }
    return replace(dictionary, report=report)


def _solved(
    capture: Capture,
    statistics: Mapping[str, Summed],
    solve: Solver,
    tick: Callable[[], None],
    typed: Typed,
    names: Sequence[str],
) -> dict[str, Solution]:
    """Solve some of the encoders' parts and the pooled vector's."""
    solutions = dict[str, Solution]()
    for name, some in statistics.items():
        if name in names:
            solutions[name] = solve(some, _slots(capture, name))
            if name == POOLED:
                solutions[name] = with_pairs(capture, some, solutions[name], solve.options.rank, typed)
        if name != POOLED:
            tick()
    return solutions


def _operators(
    capture: Capture,
    statistics: Mapping[str, Summed],
    levels: Callable[[], Dictionary],
    tick: Callable[[], None],
    typed: Typed,
    owned: Mapping[str, int],
) -> tuple[dict[str, Operator], dict[str, Any]]:
    """Fit the encoders' operators, each on its rank; arguments as of ``fit_operators``."""
    every, names = capture.plan.family.encoders, ranks.own(owned)
    some = [encoder for encoder in every if encoder.name in names]
    made = distributed.together(lambda: fit_operators(capture, statistics, levels, tick, typed, some))
    for _ in range(len(every) - len(some)):
        tick()
    return made if distributed.world() == 1 else ranks.told_operators(owned, *made)


def _calibrated(dictionary: Dictionary, capture: Capture) -> tuple[Dictionary, dict[str, Any]]:
    """Calibrate with all ranks, and return what rank 0 has found."""
    made, report = calibrate(dictionary, list(capture.read("calibration", "rewrite")))
    parts = ranks.told_codes(dict.fromkeys(made.parts, 0), made.parts.__getitem__, Part)
    _, (tolerance, report) = distributed.share(0, {}, [made.tolerance, report])
    return replace(made, parts=parts, tolerance=tolerance), report


def _slots(capture: Capture, name: str) -> Groups:
    return ALONE if name == POOLED else groups(capture)


def _measured(parts: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    measured = {name: dict(one) for name, one in parts.items()}
    for token in ("fvu_token", "fvu_token_constant"):  # the pooled vector has one token: this is its fvu_slot
        measured.get(POOLED, {}).pop(token, None)
    return measured


def make_part(solution: Solution, statistics: Summed, groups: Groups, scatter: Scatter) -> Part:
    """Build a part in the precision of its file (half for codes and decoder), not yet calibrated."""
    coded = statistics.in_codes(solution.decoder.double(), solution.bias.double())
    sums, tokens = coded.sums.total(), coded.sums.total().count * coded.lengths
    # About the mean of all tokens, of phrases alone; of roles where a part has no phrases.
    judged, spread = groups.judged, scatter.phrases if groups.phrases else scatter.roles
    codes, weights = sums.mean_token[judged], (rearrange(sums.count, "s -> s 1") * sums.valid)[judged]
    middle = einsum(weights, codes, "s t, s t r -> r") / tokens[judged].sum()
    around = spread + einsum(weights, codes - middle, codes - middle, "s t, s t r, s t q -> r q")
    return Part(
        **vars(to_codes(solution, statistics.lengths, groups)),
        whiten_slot=_whitener((scatter.phrases + scatter.roles) / tokens.sum()),
        whiten_residual=_whitener(_rest(solution, coded, groups, spread)),
        whiten_tokens=_whitener(around / tokens[judged].sum()),
        mean_code=middle.float(),
        thresholds=torch.zeros(2),
    )


def _shrunk(covariance: Tensor) -> Tensor:
    return covariance + SHRINK * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)


def _rest(solution: Solution, coded: Summed, groups: Groups, spread: Tensor) -> Tensor:
    """Return the covariance (r, r), in codes, of phrases' tokens (all tokens if there are none) about their decode.

    It is drawn towards the covariance about the slots' means, the more the fewer tokens there are for its width: what
    few prompts leave unexplained in the fit is less than what they leave in a prompt to come.

    Args:
        coded: sums of codes (r,).
        spread: (r, r) Σ of squares about the slots' means.
    """
    judged, left, count = range(len(groups.of))[groups.judged], spread.clone(), 0.0
    for group in range(groups.count):
        if slots := [slot for slot in groups.slots(group) if slot in judged]:
            sums = coded.of(slots).total()
            slope = (solution.group_effects[group] + solution.own(slots)).double()
            # Σ (r − Wᵀa)(r − Wᵀa)ᵀ of residuals r about the slots' means.
            gram, cross = (rearrange(sums.lengths, "s -> s 1 1") * one.double() for one in sums.centred())
            both = einsum(cross, slope, "s k r, s k q -> r q")
            left += einsum(slope, gram @ slope, "s k r, s k q -> r q") - both - both.T
            count += float((sums.count * sums.lengths).sum())
    share = len(spread) / (len(spread) + count)
    return ((1 - share) * left + share * spread) / count


def _whitener(covariance: Tensor) -> Tensor:
    """Return upper triangular w with ‖z w‖² = zᵀ Σ⁻¹ z."""
    lower = torch.linalg.cholesky(_shrunk(covariance.double()))
    return torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False).T.float()


def describe_solver(solver: str, options: Any) -> dict[str, Any]:
    """Return what a dictionary's provenance, and the key of a fit, say of its solver; as a file has it."""
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(options).items()}
    return {"name": solver, **said}


def _provenance(plan: TextPlan) -> dict[str, Any]:
    how = plan.sampling if isinstance(plan, ActivationPlan) else None
    return {
        "fingerprint": {
            site: list(values) for site, values in {**plan.fingerprint, **(how.fingerprint if how else {})}.items()
        },
        **({"sampling": streams.describe_sampling(how)} if how else {}),
        "prompts": sum(entry.set == "fit" for entry in plan.entries),
        "held_out": [list(pair) for pair in plan.held_out],
        "seed": plan.seed,
        "length_policy": plan.family.length_policy,
        "tool": f"supsae {__version__}",
        "licence": "",
    }


def _never(dictionary: Dictionary) -> list[str]:
    return [str(concept) for index, concept in enumerate(dictionary.table.concepts) if dictionary.writes[index] is None]
