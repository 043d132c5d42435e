"""What every solver gives: it is ``(Summed, Groups, config) → Solution``.

Letters (docs/method.md, 1): K concepts, S slots, T tokens, d columns, r code width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...supsae_core.capture.statistics import Sums
from ...supsae_core.dictionary.model import Codes
from .effects import Effects
from .groups import Groups


class Solution(NamedTuple):
    """Codes and decoder of one part; float32."""

    bias: Tensor
    """(d,) what a code of 0 decodes to: the mean of all tokens, or the paper's bias"""
    decoder: Tensor
    """(r, d) orthonormal rows"""
    slot_codes: Tensor
    """(S, T, r) codes of the slots' mean tokens; 0 from a slot's length on"""
    group_effects: Tensor
    """(groups, K, r) effects of context"""
    slot_effects: Tensor
    """(S, K, r) what a slot's effects deviate by"""
    mean_context: Tensor
    """(S, K) mean context that the constants refer to"""
    slot_directions: Tensor
    """(S, q, r) directions that ``slot_effects`` (S, K, q) are in; (0, 0, 0) where these are in full"""
    measured: dict[str, float]
    """held-out errors, code width, rank of the labels"""
    without_last: "Solution | None" = None
    """the fit to all folds but the last, in the same codes; None if the solver makes none on its way"""

    def own(self, slots: Sequence[int]) -> Tensor:
        """Return what the effects of some slots deviate by (s, K, r), in full."""
        own = self.slot_effects[slots]
        return own @ self.slot_directions[slots] if len(self.slot_directions) else own


def encoded(fitted: Effects, total: Sums, decoder: Tensor, bias: Tensor, measured: dict[str, float]) -> Solution:
    """Write a fit in codes.

    Args:
        fitted: means (S, T, d) and effects in full width.
        decoder: (r, d) orthonormal rows.
        bias: (d,) what a code of 0 is to decode to.
    """
    codes = Effects((fitted.mean - bias) @ decoder.T, fitted.shared @ decoder.T, fitted.own @ decoder.T)
    return written(codes, total, decoder, bias, measured)


def written(
    codes: Effects,
    total: Sums,
    decoder: Tensor,
    bias: Tensor,
    measured: dict[str, float],
    directions: Tensor | None = None,
) -> Solution:
    """Return the solution of a fit that is in codes already, of as many directions as the decoder (r, d) or more.

    Args:
        directions: (S, q, r) that own effects (S, K, q) are in; None where these are in full.
    """
    width = len(decoder)
    return Solution(
        bias=bias.float(),
        decoder=decoder.float(),
        slot_codes=codes.mean[..., :width].float() * total.valid[..., None],
        group_effects=codes.shared[..., :width].float(),
        slot_effects=(codes.own[..., :width] if directions is None else codes.own).float(),
        mean_context=total.mean_label.float(),
        slot_directions=torch.zeros(0, 0, 0) if directions is None else directions.float(),
        measured=measured,
    )


def to_codes(solution: Solution, lengths: Tensor, groups: Groups) -> Codes:
    """Build codes in the precision of their file, not yet calibrated; lengths (S,) are the slots' tokens."""

    def half(x: Tensor) -> Tensor:
        return x.half().float().contiguous()  # laid out as a file's, so that sums round alike

    return Codes(
        bias=half(solution.bias),
        decoder=half(solution.decoder),
        slot_codes=half(solution.slot_codes),
        group_effects=half(solution.group_effects),
        slot_effects=half(solution.slot_effects),
        slot_directions=half(solution.slot_directions),
        mean_context=half(solution.mean_context),
        slot_tokens=lengths,
        slot_groups=groups.of,
        gains=torch.ones(solution.group_effects.shape[1]),
    )
