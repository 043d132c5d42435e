"""Two trivial rivals: the new phrase's mean tokens in the old one's place, with or without the old one's residual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from einops import rearrange
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.encoders.layout import Span
from ...supsae_core.encoders.placing import layout_of, rows_of
from ...training.gather import gather
from ..baselines.flattened_ridge import regress
from ..baselines.paper import flattened, split
from .aligned import is_changed, places
from .asked import Asked


@dataclass(frozen=True)
class PhraseMeans:
    """The mean tokens of every phrase, per encoder; nothing but the rows of phrases is changed."""

    plan: TextPlan
    means: Mapping[str, Tensor]
    """encoder → (P, T, d), 0 behind a phrase's last token"""
    tokens: Mapping[str, Tensor]
    """encoder → (P,); 0 if it was never captured"""

    @classmethod
    def fit(cls, capture: Capture) -> PhraseMeans:
        """Average over a capture's fit prompts."""
        plan, phrases, means, tokens = capture.plan, len(capture.plan.table.phrases), {}, {}
        statistics = gather(capture, capture.read(), "fit")
        for encoder in plan.family.encoders:
            sums = statistics[encoder.name].sums.total()
            written = sums.mean_token * rearrange(sums.valid, "s t -> s t 1")
            means[encoder.name] = written[:phrases].float()
            tokens[encoder.name] = sums.lengths[:phrases] * (sums.count[:phrases] > 0)
        return cls(plan, means, tokens)

    def edit(self, asked: Asked, before: Encoded, after: Encoded, *, kept: bool) -> Tensor:
        """Write the phrases that a case asks for over those that go; ``kept``: with the residual of what stood there.

        Of the rewrite only the numbers of tokens are used. What takes no token becomes the mean of the prompt's pads.

        Raises:
            ValueError: if a phrase was never captured.
        """
        plan, made = self.plan, before.cond.clone()
        one, other = (
            layout_of(plan.family, plan.table, row.entry.prompt, row.entry.counts, rows_of(row.cond, plan.family))
            for row in (before, after)
        )
        for encoder in plan.family.encoders:
            a, b = one[encoder.name], other[encoder.name]
            x, pads = before.cond[:, encoder.first : encoder.last], list(a.roles.pad)
            for (old, new), (here, _) in zip(asked.mentions, places(a, b, asked.mentions).rows, strict=True):
                if is_changed(a, b, old, new):
                    target = x[pads].mean(0).expand(len(here), -1).clone() if pads else x[here].clone()
                    if new is not None:
                        tokens = self._tokens(encoder.name, b.spans[new])
                        off = self._residual(encoder.name, x, a.spans[old]) if kept and old is not None else 0.0
                        target[: len(tokens)] = tokens + off
                    made[here, encoder.first : encoder.last] = target
        return made

    def _tokens(self, name: str, span: Span) -> Tensor:
        """Return (T, d) the mean tokens of a phrase."""
        if int(self.tokens[name][span.phrase]) != len(span.rows):
            raise ValueError(f"The phrase {self.plan.table.phrases[span.phrase].text!r} was never captured.")
        return self.means[name][span.phrase, : len(span.rows)]

    def _residual(self, name: str, x: Tensor, span: Span) -> Tensor:
        """Return (d,) by how much the rows of a phrase are off its mean tokens, on average."""
        return (x[list(span.rows)] - self._tokens(name, span)).mean(0)


@dataclass(frozen=True)
class LearntMeans:
    """Phrases' means, and what concepts do to the pooled vector."""

    phrases: PhraseMeans
    effects: Tensor
    """(K, P)"""

    @classmethod
    def fit(cls, capture: Capture) -> LearntMeans:
        """Average, and regress the pooled vectors, over a capture's fit prompts."""
        told = flattened(capture, "fit")
        effects, _, _ = regress(told.labels, split(told.x, told.shape)[1])
        return cls(PhraseMeans.fit(capture), effects)
