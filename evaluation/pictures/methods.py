"""The ways to edit that are compared: a case and its conditioning in, the conditioning to draw from out."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.capture.plan import Entry
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import TextHost
from ...supsae_core.table.prompts import Prompt, delete_mention
from ...training import distributed
from ...training.fit import fit_dictionary
from ..baselines.table import BASELINES, TOLD, Baseline, ToldBaseline
from ..cases import Case, answer
from ..exchange import learnt
from ..results import content_hash
from ..text.asked import Asked, mentions_of
from ..text.trivial import LearntMeans
from .gallery import LazyRows

LINEAR = "flattened ridge"
"""The baseline that is learnt from few prompts too: the exact form of the paper's model."""
NO_EDIT, REWRITE, OURS = "no edit", "prompt rewrite", "SupSAE"
PRIOR = "phrase deleted"
"""The prompt without the words that a swap replaces: how often what was asked for is there shows what chance does."""
MEANS = {"replace": False, "shortcut": True}
"""Trivial rival → whether what the old phrase's rows were off their mean stays (``evaluation/text/trivial.py``)."""
SLOWEST = ("TopK auto-encoder", "paper, all dimensions", "sparse direction", "paper")
"""Baselines that take longest to learn, the slowest first: ranks begin with them."""
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
        texts = {NO_EDIT: case.prompt, REWRITE: case.rewrite, PRIOR: unsaid(case)}
        if spelling in texts:
            text = texts[spelling].text
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


def unsaid(case: Case) -> Prompt:
    """Return the prompt without the phrases that a case's swaps replace."""
    made = case.prompt
    if len(case.before) == len(case.after):
        for at in reversed([at for at, old in enumerate(case.before) if old != case.after[at]]):
            made = delete_mention(made, at)
    return made


def by_dictionary(dictionary: Dictionary) -> Method:
    """Edit from the rows alone, the prompt's text unseen."""
    return Method(content_hash(dictionary), lambda *asked: answer(dictionary, *asked)[:2])


def by_baseline(name: str, capture: Capture, fitted: Baseline) -> Method:
    """Tell a baseline the true concepts before and after, since it cannot read them."""

    def edit(case: Case, cond: Tensor, pooled: Tensor, strength: float) -> Conditioning:
        try:
            return fitted.edit(cond, pooled, case.before, case.after, strength)
        except ValueError:
            return cond, pooled

    return Method(f"{name} {_learnt_from(capture)}", edit)


def by_told(name: str, capture: Capture, host: TextHost, fitted: ToldBaseline) -> Method:
    """Show a baseline the prompt's words, and tell it the true concepts before and after."""

    def edit(case: Case, cond: Tensor, pooled: Tensor, strength: float) -> Conditioning:
        row = Encoded(Entry(case.prompt, "test", host.counts(case.prompt.words)), cond, pooled)
        try:
            return fitted.edit(row, case.before, case.after, strength)
        except ValueError:
            return cond, pooled

    return Method(f"{name} {_learnt_from(capture)}", edit)


def by_means(capture: Capture, host: TextHost, kept: bool, fitted: LearntMeans) -> Method:
    """Put phrases' mean tokens where the rewrite has them, told the places; the pooled vector moves by its means."""
    means, effects = fitted.phrases, fitted.effects

    def edit(case: Case, cond: Tensor, pooled: Tensor, strength: float) -> Conditioning:
        before, after = (Entry(prompt, "test", host.counts(prompt.words)) for prompt in (case.prompt, case.rewrite))
        try:
            asked = Asked("", case, mentions_of(capture.plan.table, case))
            other = Encoded(after, encoded(host, case.rewrite.text)[0], pooled)
            rows = means.edit(asked, Encoded(before, cond, pooled), other, kept=kept)
        except ValueError:
            return cond, pooled
        came, went = (set(one) - set(other) for one, other in ((case.after, case.before), (case.before, case.after)))
        moved = effects[list(came)].sum(0) - effects[list(went)].sum(0)
        return cond + strength * (rows - cond), pooled + strength * moved

    return Method(f"means {kept} {_learnt_from(capture)}", edit)


def _learnt_from(capture: Capture) -> str:
    return hashlib.sha256(repr(capture.plan).encode()).hexdigest()


class Contender(NamedTuple):
    """Someone whom a dictionary is held against."""

    what: str
    """is learnt; several may share it"""
    learn: Callable[[], Any]
    method: Callable[[Any], Method]
    """given what was learnt"""


def prepare(
    dictionary: Dictionary,
    host: TextHost,
    capture: Capture | None = None,
    few: Capture | None = None,
    tick: Callable[[int], None] = lambda count: None,
) -> Methods:
    """Learn whom a dictionary is held against, each on one rank.

    Args:
        capture: the prompts that the dictionary was fitted on; without it there is the dictionary alone.
        few: a capture of the same concepts in few prompts, to learn from that as well.
        tick: called with how many of ``baselines`` this rank has ready since; may raise to interrupt.
    """
    given: dict[str, object] = {"host": host, "family": host.family, "table": dictionary.table}
    given |= {name: one.plan for name, one in (("few", few), ("many", capture)) if one}
    rivals = _of_few(few, host, tick) if few else {}
    rivals |= _of_many(capture, host, tick) if capture else {}
    slowest_first = sorted(rivals.values(), key=lambda one: SLOWEST.index(one.what) if one.what in SLOWEST else 99)
    learns = {one.what: one.learn for one in slowest_first}
    served = Counter(one.what for one in slowest_first)
    ticked = {name: _ticked(one, partial(tick, served[name])) for name, one in learns.items()}
    found = learnt(ticked, given, "baselines")
    tick(0)
    edits = {name: one.method(found[one.what]) for name, one in rivals.items()}
    return Methods(host, {OURS: by_dictionary(dictionary), **edits})


def _of_few(few: Capture, host: TextHost, tick: Callable[[int], None]) -> dict[str, Contender]:
    ours, linear = _with(OURS, few), _with(LINEAR, few)
    return {
        ours: Contender(ours, partial(_by_itself, few, tick), by_dictionary),
        linear: Contender(linear, partial(BASELINES[LINEAR], few, host), partial(by_baseline, LINEAR, few)),
    }


def _of_many(capture: Capture, host: TextHost, tick: Callable[[int], None]) -> dict[str, Contender]:
    made = dict[str, Contender]()
    for name, fit in BASELINES.items():
        learn = partial(fit, capture, host, progress=lambda *_: tick(0))
        made[name] = Contender(name, learn, partial(by_baseline, name, capture))
    for name, fit in TOLD.items():
        learn = partial(fit, capture, host, progress=lambda *_: tick(0))
        made[name] = Contender(name, learn, partial(by_told, name, capture, host))
    for name, kept in MEANS.items():
        made[name] = Contender("means", partial(LearntMeans.fit, capture), partial(by_means, capture, host, kept))
    return made


def _ticked(learn: Callable[[], Any], tick: Callable[[], None]) -> Callable[[], Any]:
    def work() -> Any:
        made = learn()
        tick()
        return made

    return work


def _by_itself(capture: Capture, tick: Callable[[int], None]) -> Dictionary:
    """Fit a dictionary as one process does, without another rank's help."""
    with distributed.alone():
        return fit_dictionary(capture, progress=lambda *_: tick(0))


def baselines() -> int:
    """Return how many methods there are beside the dictionary when a capture and few prompts are at hand."""
    return 2 + len(BASELINES) + len(TOLD) + len(MEANS)


def _with(name: str, capture: Capture) -> str:
    return f"{name}, {sum(entry.set == 'fit' for entry in capture.plan.entries)} prompts"
