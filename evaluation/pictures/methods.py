"""The ways to edit that are compared: a task and its conditioning in, the conditioning to draw from out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.apply import apply
from ...supsae_core.editing.edits import scaled
from ...supsae_core.host import TextHost
from ...training import fit as fitting
from ..baselines.table import RIVALS, Rival
from .gallery import Rows
from .tasks import Task

LINEAR = "flattened ridge"
"""The rival that is learnt from few prompts too: the exact form of the paper's model."""
NO_EDIT, REWRITE, OURS = "no edit", "prompt rewrite", "SupSAE"
STRENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Strengths that a method's best one is chosen from, on the calibration prompts."""
Edited = tuple[Tensor, Tensor]
"""cond (L, width) and pooled (P,)"""
Edit = Callable[[Task, Tensor, Tensor, float], Edited]
"""(task, cond, pooled, strength) → the conditioning to draw from."""


class Method(NamedTuple):
    """One way to edit."""

    name: str
    """everything that decides what it makes of a task, in words"""
    edit: Edit


@dataclass(frozen=True)
class Methods:
    """Everything that edits conditionings, ready to be asked."""

    host: TextHost
    edits: Mapping[str, Method]
    """spelling → method; the prompt rewrite is not among them: it encodes another text"""

    def rows(self, spelling: str, task: Task, strength: float = 1.0) -> Rows:
        """Return a method's conditioning of a task, yet to be made."""
        if spelling in (NO_EDIT, REWRITE):
            text = (task.prompt if spelling == NO_EDIT else task.rewrite).text
            return Rows(text, partial(encoded, self.host, text))
        method = self.edits[spelling]
        return Rows(
            repr((method.name, task.prompt.text, task.edits, task.after, strength)),
            lambda: method.edit(task, *encoded(self.host, task.prompt.text), strength),
        )


def encoded(host: TextHost, text: str) -> Edited:
    """Encode one text."""
    conds, pooled = host.encode([text])
    return conds[0], pooled[0]


def by_dictionary(dictionary: Dictionary) -> Edit:
    """Edit from the rows alone, the prompt's text unseen; what is refused stays as it is and counts as it looks."""

    def edit(task: Task, cond: Tensor, pooled: Tensor, strength: float) -> Edited:
        try:
            made = apply(dictionary, cond, pooled, [scaled(one, strength) for one in task.edits])
        except ValueError:
            return cond, pooled
        assert made.pooled is not None
        return made.cond, made.pooled

    return edit


def prepare(
    dictionary: Dictionary,
    host: TextHost,
    capture: Capture | None = None,
    few: Capture | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Methods:
    """Fit whom a dictionary is held against.

    Args:
        dictionary: to be judged.
        host: encodes the prompts.
        capture: the prompts that the dictionary was fitted on; without it there is the dictionary alone.
        few: a capture of the same concepts in few prompts, to learn from that as well.
        tick: called now and then; may raise to interrupt.
    """
    edits = {OURS: Method(content_hash(dictionary), by_dictionary(dictionary))}
    if few:
        learnt = fitting.fit_dictionary(few, progress=lambda *_: tick())
        edits[_with(OURS, few)] = Method(content_hash(learnt), by_dictionary(learnt))
        edits[_with(LINEAR, few)] = _rival(LINEAR, few, host, tick)
    if capture:
        edits |= {name: _rival(name, capture, host, tick) for name in RIVALS}
    return Methods(host, edits)


def rivals() -> int:
    """Return how many methods there are beside the dictionary when a capture and few prompts are at hand."""
    return 2 + len(RIVALS)


def _with(name: str, capture: Capture) -> str:
    return f"{name}, {sum(entry.set == 'fit' for entry in capture.plan.entries)} prompts"


def _rival(name: str, capture: Capture, host: TextHost, tick: Callable[[], None]) -> Method:
    learnt_from = hashlib.sha256(repr(capture.plan).encode()).hexdigest()
    return Method(f"{name} {learnt_from}", _by_rival(RIVALS[name](capture, host, progress=lambda *_: tick())))


def content_hash(dictionary: Dictionary) -> str:
    """Return what tells a dictionary's edits from another's."""
    made = hashlib.sha256(repr((dictionary.table, dictionary.slider)).encode())
    for part in dictionary.parts.values():
        for tensor in vars(part).values():
            made.update(tensor.contiguous().numpy().tobytes())
    return made.hexdigest()


def _by_rival(rival: Rival) -> Edit:
    """Tell a rival the true concepts before and after, since it cannot read them."""

    def edit(task: Task, cond: Tensor, pooled: Tensor, strength: float) -> Edited:
        try:
            return rival.edit(cond, pooled, task.before, task.after, strength)
        except ValueError:
            return cond, pooled

    return edit
