"""The edit operator: what saying one phrase for another does to the rows of an encoder, from what they are now.

docs/method.md, 20. Levels (2) decode a row from its context, and an edit is a difference of two decodes: the same for
every row of a role. The operator is learnt from prompts and their rewrites, and depends on the row that it writes on.
It is linear in the change of codes, so it is odd in a swap, nothing for nothing, and takes strengths.

Letters: P phrases, T tokens, d columns, q and p directions that rows are seen and changes are written in, m landmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

from torch import Tensor

from .landmarks import PhraseLandmarks, RestLandmarks
from .moving_rows import MovingRows, UpdatedRows
from .operator_rows import Frame, PhraseKernel, PhraseRows, RestKernel, RestRows, Spot

_Held = TypeVar("_Held", bound=Any)


@dataclass(frozen=True)
class RestPart:
    """What was learnt of the rows outside: landmarks, and what each of them says of a row that is like it."""

    constants: Tensor
    """(4,) of ``RestKernel``"""
    states: Tensor
    residuals: Tensor
    change: Tensor
    presence: Tensor
    distance: Tensor
    side: Tensor
    roles: Tensor
    weights: Tensor
    """(m, p); the others as ``RestRows`` has them, of m landmarks"""

    @cached_property
    def marks(self) -> RestRows:
        """The landmarks."""
        return RestRows(*(getattr(self, name) for name in RestRows._fields))

    @cached_property
    def kernel(self) -> RestKernel:
        return RestKernel._make(self.constants.tolist())


@dataclass(frozen=True)
class PhrasePart:
    """What was learnt of the rows that take a new phrase: a share of the residual and, if any, landmarks."""

    constants: Tensor
    """(2,) share of the old phrase's residual that stays, and the level of ``PhraseKernel``"""
    residuals: Tensor
    left: Tensor
    right: Tensor
    around: Tensor
    tokens: Tensor
    weights: Tensor
    """(m, p); the others as ``PhraseRows`` has them, of m landmarks"""

    @cached_property
    def marks(self) -> PhraseRows:
        """The landmarks."""
        return PhraseRows(*(getattr(self, name) for name in PhraseRows._fields))


@dataclass(frozen=True)
class Operator:
    """What edits do to one encoder's rows, as far as it was learnt from pairs better than the levels say it."""

    frame: Frame
    outputs: Tensor
    """(p, d) orthonormal: the directions that changes are written in"""
    rest: RestPart | None
    """None: rows outside a phrase move as the levels say"""
    phrase: PhrasePart | None
    """None: so do the rows of phrases"""

    def fits(self, phrases: int, width: int) -> bool:
        """Tell whether the tensors fit one another and an encoder of a width whose table has so many phrases."""
        frame, (seen, written) = self.frame, (len(self.frame.inputs), len(self.outputs))
        wanted = [
            (frame.phrase_means, (phrases, frame.phrase_means.shape[1], width)), (frame.phrase_tokens, (phrases,)),
            (frame.centre, (width,)), (frame.scale, (1,)), (frame.inputs, (seen, width)),
            (self.outputs, (written, width)),
        ]  # fmt: skip
        for part, count in ((self.rest, 4), (self.phrase, 2)):
            if part is not None:
                marks = len(part.weights)
                size = {"change": (marks, phrases), "presence": (marks,), "distance": (marks,), "side": (marks,)}
                size |= {"roles": (marks,), "weights": (marks, written), "constants": (count,)}
                wanted += [(getattr(part, one.name), size.get(one.name, (marks, seen))) for one in fields(part)]
        inside = not len(frame.phrase_tokens) or int(frame.phrase_tokens.max()) <= frame.phrase_means.shape[1]
        return inside and all(tuple(tensor.shape) == shape for tensor, shape in wanted)

    @cached_property
    def turned(self) -> Tensor:
        """(p, q) the directions that changes are written in, as the operator sees them."""
        return self.outputs @ self.frame.inputs.T / (self.frame.scale * self.frame.centre.shape[0] ** 0.5)

    def moving(self, x: Tensor, own: range) -> MovingRows:
        """Begin to change rows (L, d), of which some are the encoder's own."""
        return MovingRows(self.frame, self.outputs, self.turned, x, own)

    def rest_step(self, x: MovingRows, spot: Spot, residual: UpdatedRows, change: Tensor, presence: float) -> Tensor:
        """Return what a change adds to the rows (n, p) of a spot, in the directions that changes are written in.

        Args:
            x: rows as they are.
            spot: where the change is made.
            residual: of the old phrase there, as ``MovingRows.residual`` has it.
            change: (P,) codes that come, less codes that go.
            presence: 1 if something is added, −1 if it is removed, 0 if it is swapped.
        """
        assert self.rest is not None
        rows = x.rest_rows(spot, residual, change, presence)
        return self._rest_landmarks.alike(rows) @ self.rest.weights

    def phrase_rows(self, x: MovingRows, spot: Spot, residual: UpdatedRows, new: int) -> UpdatedRows:
        """Return the rows (T, ·) of a new phrase in the place of an old one; arguments as of ``rest_step``."""
        assert self.phrase is not None
        kept, _ = self.phrase.constants.tolist()
        made = x.tokens(new).plus(residual, kept)
        if not len(self.phrase.weights):
            return made
        kernel = self._phrase_landmarks.alike(x.phrase_rows(spot, residual, new))
        return made.moved(kernel @ self.phrase.weights, self.turned)

    @cached_property
    def _rest_landmarks(self) -> RestLandmarks:
        assert self.rest is not None
        return RestLandmarks.of(self.frame, self.rest.kernel, self.rest.marks)

    @cached_property
    def _phrase_landmarks(self) -> PhraseLandmarks:
        assert self.phrase is not None
        return PhraseLandmarks.of(PhraseKernel(float(self.phrase.constants[1])), self.phrase.marks)


def tensors_of(operator: Operator) -> dict[str, Tensor]:
    """Return every tensor by its name in files, such as ``rest.weights``."""
    found = {"outputs": operator.outputs}
    for name in ("frame", "rest", "phrase"):
        held = getattr(operator, name)
        if held is not None:
            found |= {f"{name}.{one.name}": getattr(held, one.name) for one in fields(held)}
    return found


def operator_from(tensors: Mapping[str, Tensor]) -> Operator:
    """Rebuild what ``tensors_of`` returned.

    Raises:
        KeyError: naming what is missing.
    """

    def held(kind: type[_Held], name: str) -> _Held:
        return kind(**{one.name: tensors[f"{name}.{one.name}"] for one in fields(kind)})

    return Operator(
        held(Frame, "frame"),
        tensors["outputs"],
        held(RestPart, "rest") if "rest.weights" in tensors else None,
        held(PhrasePart, "phrase") if "phrase.weights" in tensors else None,
    )


def in_half(operator: Operator) -> Operator:
    """Return an operator as its file will hold it: rounded to half precision."""
    rounded = {name: x.half().float() if x.is_floating_point() else x for name, x in tensors_of(operator).items()}
    return operator_from(rounded)
