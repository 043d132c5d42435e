"""The ways to edit that are compared: a case and its conditioning in, the conditioning to draw from out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import TextHost
from ...training.fit import fit_dictionary
from ..baselines.table import BASELINES, Baseline
from ..cases import Case, answer
from ..results import content_hash
from .gallery import LazyRows

LINEAR = "flattened ridge"
"""The baseline that is learnt from few prompts too: the exact form of the paper's model."""
NO_EDIT, REWRITE, OURS = "no edit", "prompt rewrite", "SupSAE"
STRENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Strengths that a method's best one is chosen from, on the calibration prompts."""
Conditioning = tuple[Tensor, Tensor]
"""cond (L, width) and pooled (P,)"""


class Method(NamedTuple):
    """One way to edit."""

    name: str
    """everything that decides what it makes of a case, in words"""
    edit: Callable[[Case, Tensor, Tensor, float], Conditioning]
    """(case, cond, pooled, strength) → the conditioning to draw from; what is refused stays as it is, and counts so"""


@dataclass(frozen=True)
class Methods:
    """Everything that edits conditionings, ready to be asked."""

    host: TextHost
    edits: Mapping[str, Method]
    """spelling → method; the prompt rewrite is not among them: it encodes another text"""

    def rows(self, spelling: str, case: Case, strength: float = 1.0) -> LazyRows:
        """Return a method's conditioning of a case, yet to be made."""
        if spelling in (NO_EDIT, REWRITE):
            text = (case.prompt if spelling == NO_EDIT else case.rewrite).text
            return LazyRows(text, partial(encoded, self.host, text))
        method = self.edits[spelling]
        return LazyRows(
            repr((method.name, case.prompt.text, case.edits, case.after, strength)),
            lambda: method.edit(case, *encoded(self.host, case.prompt.text), strength),
        )


def encoded(host: TextHost, text: str) -> Conditioning:
    """Encode one text."""
    conds, pooled = host.encode([text])
    return conds[0], pooled[0]


def by_dictionary(dictionary: Dictionary) -> Method:
    """Edit from the rows alone, the prompt's text unseen."""
    return Method(content_hash(dictionary), lambda *asked: answer(dictionary, *asked)[:2])


def by_baseline(name: str, capture: Capture, host: TextHost, tick: Callable[[], None]) -> Method:
    """Tell a baseline the true concepts before and after, since it cannot read them."""
    learnt_from = hashlib.sha256(repr(capture.plan).encode()).hexdigest()
    fitted: Baseline = BASELINES[name](capture, host, progress=lambda *_: tick())

    def edit(case: Case, cond: Tensor, pooled: Tensor, strength: float) -> Conditioning:
        try:
            return fitted.edit(cond, pooled, case.before, case.after, strength)
        except ValueError:
            return cond, pooled

    return Method(f"{name} {learnt_from}", edit)


def prepare(
    dictionary: Dictionary,
    host: TextHost,
    capture: Capture | None = None,
    few: Capture | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Methods:
    """Fit whom a dictionary is held against.

    Args:
        capture: the prompts that the dictionary was fitted on; without it there is the dictionary alone.
        few: a capture of the same concepts in few prompts, to learn from that as well.
    """
    edits = {OURS: by_dictionary(dictionary)}
    if few:
        edits[_with(OURS, few)] = by_dictionary(fit_dictionary(few, progress=lambda *_: tick()))
        edits[_with(LINEAR, few)] = by_baseline(LINEAR, few, host, tick)
    if capture:
        edits |= {name: by_baseline(name, capture, host, tick) for name in BASELINES}
    return Methods(host, edits)


def baselines() -> int:
    """Return how many methods there are beside the dictionary when a capture and few prompts are at hand."""
    return 2 + len(BASELINES)


def _with(name: str, capture: Capture) -> str:
    return f"{name}, {sum(entry.set == 'fit' for entry in capture.plan.entries)} prompts"
