"""What pairs tell, in main directions alone: read once, and kept for every frame that is asked for.

docs/method.md, 20. Rows are held in half precision about the centre and in the size of one frame; of another frame they
are the same but for a shift and a factor. Letters as in ``supsae_core/dictionary/operator.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.dictionary.operator_rows import Frame, PhraseRows, RestRows, swap_code
from .samples import PairSample, PhraseSample, RestSample


class ToldPair(NamedTuple):
    """What one pair tells of one encoder."""

    old: int | None
    new: int | None
    distance: Tensor
    side: Tensor
    roles: Tensor
    weights: Tensor
    """(n,) each, as ``PairSample`` has them"""
    states: Tensor
    """(n, q) the rows outside the phrase"""
    span: Tensor
    """(q,) mean of the old phrase's rows; as of ``left``, ``right`` and ``around``, which ``PhraseRows`` has"""
    left: Tensor
    right: Tensor
    around: Tensor
    moved: Tensor
    """(n, d), then (n, p)"""
    written: Tensor
    """(T, d), then (T, p)"""
    kept: Tensor
    """(d,), then (p,): mean of the old phrase's rows"""

    def along(self, outputs: Tensor) -> ToldPair:
        """Return the same with changes in some directions (p, d)."""
        names = ("moved", "written", "kept")
        return self._replace(**{name: (getattr(self, name) @ outputs.T).half() for name in names})


def told(frame: Frame, sample: PairSample) -> ToldPair:
    """Return what a pair tells, its changes still in full."""
    x, spot = sample.x, sample.spot
    size = frame.scale * len(frame.centre) ** 0.5
    behind = (spot.span[-1] if spot.span else spot.first - 1) + 1
    span = x[list(spot.span)].mean(0) if spot.span else frame.centre
    around = x[list(spot.words)].mean(0) if spot.words else frame.centre
    beside = torch.stack([span, x[max(spot.first - 1, 0)], x[min(behind, len(x) - 1)], around])
    seen = frame.seen(beside).half()
    return ToldPair(
        sample.old,
        sample.new,
        spot.distance,
        spot.side,
        spot.roles,
        sample.weights,
        states=frame.seen(x[spot.rows]).half(),
        span=seen[0],
        left=seen[1],
        right=seen[2],
        around=seen[3],
        moved=sample.moved / size,
        written=(sample.written - frame.centre) / size,
        kept=(span - frame.centre) / size,
    )


class View(NamedTuple):
    """What pairs told, as a frame has it."""

    whole: Frame
    """what they were told in"""
    frame: Frame
    """of the same directions"""
    outputs: Tensor
    """(p, d)"""
    seen: Tensor
    """(P, T, q) the phrases' mean tokens, as the operator sees them"""
    written: Tensor
    """(P, T, p) the same about the centre of ``whole``, in directions of changes"""
    shift: Tensor
    """(q,) the centre of ``whole``, as the operator sees it"""

    @classmethod
    def of(cls, whole: Frame, frame: Frame, outputs: Tensor) -> View:
        """Return how a frame sees what was told in another."""
        means = frame.phrase_means
        return cls(
            whole, frame, outputs, frame.seen(means), (means - whole.centre) @ outputs.T, frame.seen(whole.centre)
        )

    def knows(self, one: ToldPair) -> bool:
        """Tell whether the frame has the phrases of a pair."""
        return all(int(self.frame.phrase_tokens[phrase]) > 0 for phrase in (one.old, one.new) if phrase is not None)

    def off(self, one: ToldPair) -> Tensor:
        """Return (T, d): a new phrase's rows, still in full, less its mean tokens, in units of ``whole``."""
        assert one.new is not None
        return one.written - (self.frame.phrase_means[one.new, : len(one.written)] - self.whole.centre) / self._size

    def rest(self, one: ToldPair) -> RestSample:
        """Return a pair's rows outside the phrase."""
        change, presence = swap_code(self.frame, one.old, one.new)
        rows = RestRows(
            self._rows(one.states),
            rearrange(self._residual(one), "q -> 1 q"),
            rearrange(change, "p -> 1 p"),
            change.new_tensor([presence]),
            *(one.distance, one.side, one.roles),
        )
        return RestSample(rows, one.moved.float() * self._size, one.weights)

    def phrase(self, one: ToldPair) -> PhraseSample:
        """Return a pair's rows that take the new phrase; there must be one."""
        assert one.new is not None
        count, residual = len(one.written), self._residual(one)
        beside = (residual, *(self._rows(row) for row in (one.left, one.right, one.around)))
        rows = PhraseRows(*(row.expand(count, -1) for row in beside), tokens=self.seen[one.new, :count])
        off = one.written.float() * self._size - self.written[one.new, :count]
        return PhraseSample(rows, self._kept(one).expand(count, -1), off)

    @property
    def _size(self) -> float:
        return float(self.whole.scale) * len(self.whole.centre) ** 0.5

    def _rows(self, rows: Tensor) -> Tensor:
        """Return rows (…, q) in the frame's own size about its own centre."""
        return rows.float() * (self.whole.scale / self.frame.scale) + self.shift

    def _residual(self, one: ToldPair) -> Tensor:
        """Return (q,): ``Frame.residual`` as the operator sees it."""
        if one.old is None:
            return torch.zeros(self.seen.shape[-1])
        return self._rows(one.span) - self.seen[one.old, : int(self.frame.phrase_tokens[one.old])].mean(0)

    def _kept(self, one: ToldPair) -> Tensor:
        """Return (p,): the same in directions of changes."""
        if one.old is None:
            return torch.zeros(self.written.shape[-1])
        mean = self.written[one.old, : int(self.frame.phrase_tokens[one.old])].mean(0)
        return one.kept.float() * self._size - mean
