"""The pooled vector's effects, learnt from prompts and from pairs together, whose differences hold nothing else.

docs/method.md, 20. Two prompts of one capture differ in everything that they say; a prompt and its rewrite in one
phrase. So the pairs' equations are added to the prompts', with the weight that says most of pairs kept aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.capture.statistics import FOLDS, fold_of
from ...supsae_core.capture.typed import Typed
from ...supsae_core.encoders.placing import pooled_spans
from ..solvers.solution import Solution
from .pairs import pairs_of

WEIGHTS = (0.0, 1.0, 10.0, 100.0)
"""What is tried for how much a pair counts beside a prompt; 0 leaves the solver's effects as they are."""
RIDGE = 1.0
"""In samples: for what pairs alone, or rare concepts, do not determine."""
TEST = FOLDS - 1
"""The fold of pairs that weights are judged by."""


def with_pairs(
    capture: Capture,
    statistics: Summed,
    solution: Solution,
    width: int | None = None,
    typed: Typed | None = None,
) -> Solution:
    """Return the pooled vector's solution with effects (K, P) from pairs, if these say more of other pairs.

    Args:
        capture: finished.
        statistics: of its pooled vectors, one slot.
        solution: what a solver made of them.
        width: of codes, or None for one that holds every effect.
        typed: knows the prompts to fit on; None to read them for it.
    """
    moves = list(_moves(capture, typed))
    learn, test = ([one for one in moves if (one[2] == TEST) == held] for held in (False, True))
    if not learn or not test:
        return solution
    solved = solution.group_effects[0] + solution.slot_effects[0]
    own = solved.double() @ solution.decoder.double()
    candidates = {weight: _effects(statistics, learn, weight) if weight else own for weight in WEIGHTS}
    best = min(WEIGHTS, key=lambda weight: _error(candidates[weight], test))
    return solution if not best else _encoded(solution, _effects(statistics, moves, best), width)


Move = tuple[Tensor, Tensor, int]
"""what is said anew (K,), less what no longer is; what that does to the vector (P,); the pair's fold"""


def _moves(capture: Capture, typed: Typed | None = None) -> Iterator[Move]:
    plan = capture.plan
    rows = capture.excerpts(repeat(()), "fit") if typed else capture.read("fit")
    typed = typed or Typed(plan)
    for pair in pairs_of(rows):
        if pair.after.entry.of:  # one direction: the other says the same
            one, other = (_said(plan, row, typed) for row in (pair.before, pair.after))
            if not torch.equal(one, other):
                moved = (pair.after.pooled - pair.before.pooled).double()
                yield other - one, moved, fold_of(pair.root)


def _said(plan: TextPlan, row: Encoded, typed: Typed) -> Tensor:
    """Return (K,): the concepts that the vector of a prompt can know of."""
    rows, layouts, said = typed.rows(row), typed.layouts(row), torch.zeros(len(plan.table), dtype=torch.float64)
    said[[plan.table.phrases[span.phrase].concept for span in pooled_spans(plan.family, layouts, rows)]] = 1
    return said


def _effects(statistics: Summed, moves: list[Move], weight: float) -> Tensor:
    """Return (K, P): argmin of Σ‖x − m − (a − ā) B‖² over prompts + weight Σ‖Δx − Δa B‖² over pairs + ridge ‖B‖²."""
    gram, cross = (one[0] for one in statistics.total().centred())
    changes, moved = torch.stack([one[0] for one in moves]), torch.stack([one[1] for one in moves])
    left = gram + weight * changes.T @ changes + RIDGE * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(left, cross + weight * changes.T @ moved)


def _error(effects: Tensor, moves: list[Move]) -> float:
    return sum(float((moved - change @ effects).square().sum()) for change, moved, _ in moves)


def _encoded(solution: Solution, effects: Tensor, width: int | None) -> Solution:
    """Return a solution with other effects (K, P), in codes of a width, or such that hold all of them."""
    decoder = torch.linalg.svd(effects, full_matrices=False)[2][:width]
    mean = solution.bias.double() + solution.slot_codes[0, 0].double() @ solution.decoder.double()
    codes = effects @ decoder.T
    return solution._replace(
        bias=mean.float(),
        decoder=decoder.float(),
        slot_codes=torch.zeros(1, 1, len(decoder)),
        group_effects=codes[None].float(),
        slot_effects=torch.zeros(1, *codes.shape),
        measured=solution.measured | {"rank": float(len(decoder))},
    )
