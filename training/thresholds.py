"""Choose how phrases are found: cuts that part true places from the best false ones with the fewest errors.

Docs/method.md, 10. Calibration prompts speak of other things in the table's own words, so false places come near.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ..supsae_core.capture.captures import Encoded
from ..supsae_core.dictionary.model import Cuts, Dictionary
from ..supsae_core.encoders.base import Encoder
from ..supsae_core.encoders.layout import Layout
from ..supsae_core.reading.places import Places, pick_phrases, score_places, weighed
from ..supsae_core.reading.readout import reading_of_prompt

TRUSTS = (0.1, 0.3, 1.0)
"""Weights of the second look that are tried; of equal ones the first is taken, which asks least of the context."""
MISSED = 3.0
"""False places that a missed one counts for in a category that is expected: an edit would write beside the old words."""
LOW = 0.25
"""Where in the gap between false places and true ones the cut of an expected category lies, from below."""


class Scores(NamedTuple):
    """What true places and the best false ones score in some prompts."""

    true: list[float]
    false: list[float]


def with_cuts(dictionary: Dictionary, rows: Sequence[Encoded]) -> Dictionary:
    """Choose the ``Cuts`` of every encoder on calibration prompts."""
    parts = dict(dictionary.parts)
    for encoder in dictionary.family.encoders:
        cuts = torch.tensor(_cuts(dictionary, encoder, rows))
        parts[encoder.name] = replace(parts[encoder.name], thresholds=cuts)
    return replace(dictionary, parts=parts)


def _cuts(dictionary: Dictionary, encoder: Encoder, rows: Sequence[Encoded]) -> Cuts:
    truths = [reading_of_prompt(dictionary, row.cond, row.entry.prompt, row.entry.counts) for row in rows]
    layouts = [truth.layouts[encoder.name] for truth in truths]
    firsts = [score_places(dictionary, encoder, row.cond, one.rows) for row, one in zip(rows, truths, strict=True)]
    first = best_cut(scores_of(dictionary, firsts, layouts))[0]
    seconds = []
    for row, truth, places in zip(rows, truths, firsts, strict=True):
        known = pick_phrases(dictionary, encoder, places, None, first)
        seconds.append(score_places(dictionary, encoder, row.cond, truth.rows, known))
    found: list[tuple[float, Cuts]] = []
    for trust in TRUSTS:
        both = [weighed(one, other, trust) for one, other in zip(firsts, seconds, strict=True)]
        last, errors = best_cut(scores_of(dictionary, both, layouts))
        named = best_cut(scores_of(dictionary, both, layouts, by_category=True), MISSED, LOW)[0]
        found.append((errors, Cuts(first, last, min(named, last), trust)))
    return min(found, key=lambda one: one[0])[1]


def scores_of(
    dictionary: Dictionary, places: Sequence[Places], layouts: Sequence[Layout], *, by_category: bool = False
) -> Scores:
    """Return what the phrases score where they stand, and the best score of each away from all of them, in all prompts.

    With ``by_category`` the best false score of every category instead.
    """
    table, found = dictionary.table, Scores([], [])
    group = torch.tensor([table.category_of[phrase.concept] for phrase in table.phrases])
    for one, layout in zip(places, layouts, strict=True):
        true, false = true_and_false(one, layout)
        if by_category:
            none = false.new_full((len(table.categories),), -torch.inf)
            false = none.scatter_reduce(0, group, false, "amax")
        found.true.extend(true)
        found.false.extend(false[torch.isfinite(false)].tolist())
    return found


def true_and_false(places: Places, layout: Layout) -> tuple[list[float], Tensor]:
    """Return the scores of the phrases where they stand, and the best (phrases,) of each away from all of them."""
    at = {row: place for place, row in enumerate(places.words)}
    spans = [span for span in layout.spans if span.rows[0] in at]
    scores = [float(places.table[span.phrase, at[span.rows[0]]]) for span in spans]
    taken = set(chain.from_iterable(span.rows for span in layout.spans))
    free = places.table[:, [place for row, place in at.items() if row not in taken]]
    nowhere = free.new_full((len(free), 1), -torch.inf)
    true = [score for score in scores if math.isfinite(score)]  # another number of tokens is missed at any cut
    return true, reduce(torch.cat([free, nowhere], 1), "phrase word -> phrase", "max")


def best_cut(scores: Scores, missed: float = 1.0, share: float = 0.5) -> tuple[float, float]:
    """Return the cut, between two scores or below all, with the fewest errors, and how many these are.

    Args:
        missed: errors that a true place below the cut counts for.
        share: of the way from one score to the next at which a cut lies.
    """
    if not scores.true:
        return 0.0, 0.0
    levels = torch.tensor(sorted({*scores.true, *scores.false}), dtype=torch.float64)
    cuts = torch.cat([levels[:1] - 1e-3, torch.lerp(levels[:-1], levels[1:], share)])
    true, false = (torch.tensor(sorted(one), dtype=torch.float64) for one in scores)
    errors = missed * torch.searchsorted(true, cuts) + len(false) - torch.searchsorted(false, cuts)
    best = rearrange((errors == errors.min()).nonzero(), "n 1 -> n")
    return float(cuts[best[len(best) // 2]]), float(errors.min())
