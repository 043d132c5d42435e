"""The light form of a dictionary: what fits into a workflow, at the price of edits that are less exact.

It reads as the whole dictionary does. What is left out, in this order until the file is small enough: landmarks of the
edit operator (docs/method.md, 20), its correction of rows outside the phrase, then the operator; what happens inside
the model is always left out. docs/measured.md has what that costs.

Letters: m landmarks that were learnt, k of them that stay, q and p directions that rows are seen and written in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .file import load_dictionary, save_dictionary
from .model import Dictionary, Part
from .operator import Operator, PhrasePart, RestPart, in_half
from .operator_rows import Frame, PhraseKernel
from .unite import spelled, unite

LIGHT = "light"
"""Member of a dictionary's provenance: the bytes of the file whose light form it is."""
MOST = 1_000_000
"""Bytes of a file that a workflow carries."""
OWN = 2
"""Directions that a slot deviates from its group in: all of them change no edit by a thousandth."""
RIDGE = 1e-6
"""Share of the mean diagonal, where weights of fewer landmarks are solved for."""
SEEN_AS = ("states", "residuals", "left", "right", "around", "tokens")
"""Fields of landmarks that hold rows in the directions that they are seen in."""
HALF = 1e-3
"""Relative error up to which a tensor is rounded to half precision."""


class Cut(NamedTuple):
    """What stays of an operator."""

    rest: int
    """landmarks of rows outside the phrase; 0: the levels decide there"""
    phrase: int
    """landmarks of the phrase's own rows; 0: mean tokens and a share of the residual"""
    seen: int = 32
    written: int = 64
    """main directions that rows are seen and changes are written in, of up to 256 each"""


CUTS = (Cut(1500, 800), Cut(800, 200), Cut(400, 100), Cut(0, 100), Cut(0, 0, 0, 0))
"""What is tried, by falling size and rising error. On Portraits fewer than 400 outside the phrase were worse than 0."""


def is_light(provenance: Mapping[str, Any]) -> bool:
    """Tell whether a dictionary, or a header, says that it is a light form."""
    return bool(provenance.get(LIGHT))


def write_light(source: Path, to: Path) -> bool:
    """Write the light form of a file that loses least; return False if none is small enough, and write none.

    Raises:
        ValueError: as ``load_dictionary``.
    """
    for one in light_forms(load_dictionary(source), source.stat().st_size):
        save_dictionary(one, to)
        if to.stat().st_size <= MOST:
            return True
        to.unlink()
    return False


def light_forms(dictionary: Dictionary, size: int) -> Iterator[Dictionary]:
    """Yield light forms, the most exact one first; those that are surely too large are left out.

    Args:
        size: bytes of the dictionary's file.
    """
    for cut in (*CUTS, None):
        made = _light(dictionary, cut)
        if made is not None:
            yield replace(made, provenance={**dictionary.provenance, LIGHT: size})


def _light(dictionary: Dictionary, cut: Cut | None) -> Dictionary | None:
    """Return the light form with a cut of the operators, or without them; None if it is surely too large."""
    if dictionary.members:
        return _light_whole(dictionary, cut)
    if cut is not None and not dictionary.operators:
        return None
    parts = {name: _light_part(part) for name, part in dictionary.parts.items()}
    bare = replace(dictionary, parts=parts, operators={}, streams={}, centres=())
    if cut is None:
        return bare
    taken = sum(_bytes(getattr(part, one.name)) for part in parts.values() for one in fields(Part))
    if taken + sum(_least(operator, cut) for operator in dictionary.operators.values()) > MOST:
        return None
    made = {name: light_operator(operator, cut) for name, operator in dictionary.operators.items()}
    return replace(bare, operators={name: one for name, one in made.items() if one is not None})


def _light_whole(dictionary: Dictionary, cut: Cut | None) -> Dictionary | None:
    """Return a combined dictionary of light members, all of one cut as far as they have operators."""
    some = spelled(dictionary)
    made = [_light(one.dictionary, cut if one.dictionary.operators else None) for one in some]
    light = [own._replace(dictionary=one) for own, one in zip(some, made, strict=True) if one is not None]
    if len(light) < len(some) or (cut is not None and not any(own.dictionary.operators for own in some)):
        return None
    return replace(
        unite(light), report=dictionary.report, slider=dictionary.slider, sliders=dictionary.sliders,
        tolerance=dictionary.tolerance,
    )  # fmt: skip


def _bytes(x: Tensor) -> int:
    return x.numel() * (2 if x.is_floating_point() else x.element_size())


def _least(operator: Operator, cut: Cut) -> int:
    """Return the bytes of the tensors of a light operator, but for the smallest ones."""
    width, marks = operator.outputs.shape[1], 0
    for part, count in ((operator.rest, cut.rest), (operator.phrase, cut.phrase)):
        if part is not None:
            columns = sum(min(x.shape[1], cut.seen) for x in part.marks if x.ndim == 2)
            marks += min(count, len(part.weights)) * (columns + cut.written)
    return _bytes(operator.frame.phrase_means) + 2 * ((cut.seen + cut.written) * width + marks)


# --- codes ----------------------------------------------------------------------------------------------------------


def _light_part(part: Part) -> Part:
    """Return a part with own effects of low rank and all numbers in half precision, where that loses nothing to see."""
    low = _low_rank(part)
    return replace(low, **{one.name: _rounded(getattr(low, one.name)) for one in fields(Part)})


def _low_rank(part: Part) -> Part:
    own = part.slot_effects
    if len(part.slot_directions) or OWN * (sum(own.shape[1:])) >= own[0].numel():
        return part
    left, sizes, right = torch.linalg.svd(own.double(), full_matrices=False)
    scaled = left[..., :OWN] * rearrange(sizes[:, :OWN], "s q -> s 1 q")
    return replace(part, slot_effects=scaled.float(), slot_directions=right[:, :OWN].float())


def _rounded(x: Tensor) -> Tensor:
    if not x.is_floating_point() or not x.numel():
        return x
    half = x.half().float()
    return half if bool((half - x).norm() <= HALF * x.norm()) else x


# --- operators ------------------------------------------------------------------------------------------------------


def light_operator(operator: Operator, cut: Cut) -> Operator | None:
    """Return an operator of fewer landmarks and directions, None if nothing of it stays.

    What it does to all landmarks that were learnt is as nearly as it can what the whole one does.
    """
    frame = replace(operator.frame, inputs=operator.frame.inputs[: cut.seen])
    held = {"rest": operator.rest if cut.rest else None, "phrase": operator.phrase}
    if not any(held.values()):
        return None
    said = {name: _said(operator.frame, part) for name, part in held.items() if part is not None}
    axes = torch.linalg.svd(torch.cat(list(said.values())), full_matrices=False)[2][: cut.written]
    made = {name: _fewer(frame, held[name], one @ axes.T, getattr(cut, name)) for name, one in said.items()}
    return in_half(Operator(frame, axes @ operator.outputs, made.get("rest"), made.get("phrase")))


def _said(frame: Frame, part: RestPart | PhrasePart) -> Tensor:
    """Return (m, p) what a part says of its own landmarks."""
    return _kernel(frame, part, part.marks, part.marks) @ part.weights


def _kernel(frame: Frame, part: Any, rows: Any, marks: Any) -> Tensor:
    own = part.kernel if isinstance(part, RestPart) else PhraseKernel(float(part.constants[1]))
    return own.of(frame, rows, marks)


def _fewer(frame: Frame, part: Any, said: Tensor, count: int) -> Any:
    """Return a part of k landmarks, evenly chosen, that says as nearly as it can the same (m, p) of all m."""
    marks = part.marks
    marks = marks._replace(
        **{name: getattr(marks, name)[:, : len(frame.inputs)] for name in SEEN_AS if name in marks._fields}
    )
    kept = marks.pick(torch.linspace(0, len(said) - 1, min(count, len(said))).round().long())
    kernel = _kernel(frame, part, marks, kept).double()
    matrix = kernel.T @ kernel
    matrix.diagonal().add_(RIDGE * kernel.square().sum(0).mean() if count else 0)
    weights = torch.linalg.solve(matrix, kernel.T @ said.double()).float()
    return replace(part, weights=weights, **kept._asdict())
