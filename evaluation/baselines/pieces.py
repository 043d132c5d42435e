"""What several baselines share: a conditioning's pieces, what changes between two lists of concepts, and strength 1."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from einops import rearrange
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.dictionary.model import POOLED
from ...supsae_core.encoders.base import Family
from ...supsae_core.encoders.placing import rows_of
from ..cases import Replacement


def places(family: Family, cond: Tensor) -> Iterator[tuple[str, slice, slice]]:
    """Yield every encoder's name, its rows of a conditioning and its columns."""
    rows = rows_of(cond, family)
    for encoder in family.encoders:
        own = rows.of(encoder)
        yield encoder.name, slice(own.start, own.stop), slice(encoder.first, encoder.last)


def pieces_of(family: Family) -> tuple[str, ...]:
    """Return the names of what a baseline learns one by one: the encoders, and the pooled vector where there is one."""
    return (*(encoder.name for encoder in family.encoders), POOLED)


def vectors(family: Family, rows: Sequence[Encoded], name: str) -> list[Tensor]:
    """Return one piece's vectors (T, d) of every prompt."""
    if name == POOLED:
        return [rearrange(row.pooled, "d -> 1 d") for row in rows]
    found = []
    for row in rows:
        found += [row.cond[at, columns] for one, at, columns in places(family, row.cond) if one == name]
    return found


def changes_of(old: Sequence[int], new: Sequence[int]) -> list[Replacement]:
    """Return what goes beside what comes, in order of writing; None where nothing stands on one side."""
    went = [one for one in old if one not in new]
    came = [one for one in new if one not in old]
    return list(zip_longest(went, came))


def rewritten(capture: Capture) -> list[tuple[Encoded, Encoded]]:
    """Return a capture's calibration prompts and their rewrites, on which strengths are chosen."""
    return list(zip(capture.read("calibration"), capture.read("rewrite"), strict=True))


def strength_of_one(moves: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the factor by which moves come nearest to what the rewrites changed, never below 0.

    It is what SupSAE's gains are (docs/method.md, 13), one for all concepts: Σ ⟨Δ, Δ_word⟩ / Σ ‖Δ‖².

    Args:
        moves: (Δ, Δ_word) of one shape each; others are left out.
    """
    both, own = 0.0, 0.0
    for made, word in moves:
        if made.shape == word.shape:
            both += float((made.double() * word).sum())
            own += float(made.double().square().sum())
    return max(both / own, 0.0) if own else 0.0


def strengths_of_one(
    capture: Capture, pairs: Sequence[tuple[Encoded, Encoded]], edit: Callable[..., tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """Return piece → ``strength_of_one`` of a baseline's edit over calibration prompts and their rewrites.

    Prompts of a length that it refuses are left out.
    """
    table, family = capture.plan.table, capture.plan.family
    moves: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in pieces_of(family)}
    for before, after in pairs:
        if before.cond.shape == after.cond.shape:
            supports = (row.entry.prompt.support(table) for row in (before, after))
            try:
                cond, pooled = edit(before.cond, before.pooled, *supports)
            except ValueError:
                continue
            made, word = cond - before.cond, after.cond - before.cond
            for name, rows, columns in places(family, before.cond):
                moves[name].append((made[rows, columns], word[rows, columns]))
            moves[POOLED].append((pooled - before.pooled, after.pooled - before.pooled))
    return {name: strength_of_one(some) for name, some in moves.items()}
