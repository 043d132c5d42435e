"""Choose how phrases are found: cuts that part true places from the best false ones with the fewest errors.

Docs/method.md, 10. Calibration prompts speak of other things in the table's own words, so false places come near.
"""

import math
from collections.abc import Iterator, Sequence
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
from ..supsae_core.reading.looks import LEAST, Look, look_for, weighed
from ..supsae_core.reading.places import Places, pick_phrases, score_places
from ..supsae_core.reading.readout import Reading, reading_of_prompt
from ..supsae_core.reading.scene import Scene
from ..supsae_core.reading.weights import weighted
from . import distributed, ranks

LOOKS = ((0.1, 0.5), (0.3, 0.5), (1.0, 0.0))
"""Pairs of ``Cuts.trust`` and ``Cuts.weakest`` that are tried; of equal ones the first, which asks least of context."""
OTHERS = (-1.0, 1.0)
"""Values of ``Cuts.other`` that are tried: without a place for other words, and with one."""
OFTEN, CLEAR = 0.05, 0.5
"""Errors a mention without it from which it is taken, and up to which share of them with it. Few concepts alike are
read so much better; of many it saves a few errors, and in texts longer than those learnt from it makes more."""
ABSENT = 0.1
"""Share of phrases that an encoder was never told, and that are yet found in it when they are asked for."""
MISTAKEN = 0.02
"""Share of (prompt, category) in which the cut of an expected category lets a false place pass, if it is not said."""
TWICE = 0.1
"""Errors that a missed second mention of a category counts for: that much rarer are they than mentions."""


UNWEIGHTED = 0.01
"""Share of phrases without a weight that are read with one."""


class Scores(NamedTuple):
    """What true places and the best false ones score in some prompts."""

    true: list[float]
    false: list[float]


def with_cuts(dictionary: Dictionary, rows: Sequence[Encoded]) -> Dictionary:
    """Choose the ``Cuts`` of every encoder on calibration prompts."""
    owned, nothing = ranks.own(ranks.parts_of(dictionary.family)), (0.0,) * len(Cuts._fields)
    cuts = {
        encoder.name: torch.tensor(_cuts(dictionary, encoder, rows) if encoder.name in owned else nothing)
        for encoder in dictionary.family.encoders
    }
    distributed.all_reduce(*cuts.values())
    parts = {name: replace(dictionary.parts[name], thresholds=one) for name, one in cuts.items()}
    return replace(dictionary, parts={**dictionary.parts, **parts})


def _cuts(dictionary: Dictionary, encoder: Encoder, rows: Sequence[Encoded]) -> Cuts:
    truths = [reading_of_prompt(dictionary, row.cond, row.entry.prompt, row.entry.counts) for row in rows]
    said = sum(len(truth.layouts[encoder.name].spans) for truth in truths)
    (errors, cuts), (fewer, others) = (
        min(_tried(dictionary, encoder, rows, truths, other), key=lambda one: one[0]) for other in OTHERS
    )
    return others if errors > OFTEN * said and fewer <= CLEAR * errors else cuts


def _tried(
    dictionary: Dictionary, encoder: Encoder, rows: Sequence[Encoded], truths: Sequence[Reading], other: float
) -> Iterator[tuple[float, Cuts]]:
    """Yield the errors and the cuts of both looks together, weighed in all ways."""
    part = dictionary.parts[encoder.name]
    told = torch.tensor(Cuts(*[0.0] * 7, other=other))
    dictionary = replace(dictionary, parts={**dictionary.parts, encoder.name: replace(part, thresholds=told)})
    layouts = [truth.layouts[encoder.name] for truth in truths]
    scenes = [Scene(dictionary, encoder, row.cond, one.rows) for row, one in zip(rows, truths, strict=True)]
    firsts = [score_places(scene) for scene in scenes]
    seen = [_Seen(*one) for one in zip(scenes, truths, firsts, strict=True)]
    first = best_cut(scores_of(dictionary, firsts, layouts))[0]
    asked = _told_cut(dictionary, encoder, seen)
    # However looks are weighed, the second knows what the first found: it is made once.
    seconds = [score_places(one.scene, pick_phrases(one.scene, one.first, None, first)) for one in seen]
    for weights in LOOKS:
        how = Look(first, *weights)
        both = [weighed(one.first, second, how) for one, second in zip(seen, seconds, strict=True)]
        last, errors = best_cut(scores_of(dictionary, both, layouts))
        some = scores_of(dictionary, both, layouts, by_category=True)
        again = max(best_cut(some, TWICE)[0], last)
        wrong = errors + confused(dictionary, both, layouts)
        expected = min(expected_cut(some), last)
        yield errors, Cuts(first, last, expected, again, *weights, min(asked, last), wrong, other)


class _Seen(NamedTuple):
    """A calibration prompt, what it says, and the first look at it."""

    scene: Scene
    truth: Reading
    first: Places


def _told_cut(dictionary: Dictionary, encoder: Encoder, seen: Sequence[_Seen]) -> float:
    """Return the cut of a phrase that another encoder found: few pass that are not there.

    In every prompt one phrase is asked for in the place of one that is said.
    """
    phrases, scores = dictionary.table.phrases, list[float]()
    for number, one in enumerate(seen):
        wanted = [span.phrase for span in one.truth.layouts[encoder.name].spans]
        said = {phrases[phrase].concept for phrase in wanted}
        absent = [phrase for phrase in range(len(phrases)) if phrases[phrase].concept not in said]
        if wanted and absent:
            wanted[number % len(wanted)] = asked = absent[number % len(absent)]
            places = look_for(one.scene, wanted, one.first)
            found = pick_phrases(one.scene, places, wanted, LEAST)
            scores += [place.score for place in found if place.phrase == asked]
    return _quantile(scores, 1 - ABSENT)


def _quantile(scores: Sequence[float], share: float) -> float:
    return float(torch.tensor(scores).quantile(share)) if scores else LEAST


def with_tolerance(dictionary: Dictionary, rows: Sequence[Encoded]) -> Dictionary:
    """Choose how far from 1 a prompt weight must be read to be one, on calibration prompts: none has one."""
    if not dictionary.family.weighted:
        return dictionary
    exact = replace(dictionary, tolerance=0.0)
    together, alone = list[float](), list[float]()  # the leading encoder may be the only one: then it errs more
    for row in rows:
        truth = reading_of_prompt(exact, row.cond, row.entry.prompt, row.entry.counts)
        name = truth.lead
        for off, some in ((together, truth.layouts), (alone, {name: truth.layouts[name]})):
            off += [abs(span.weight - 1) for span in weighted(exact, row.cond, truth.rows, some)[name].spans]
    least = max(_quantile(off, 1 - UNWEIGHTED) for off in (together, alone))
    return replace(dictionary, tolerance=max(least, Dictionary.tolerance))


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


def confused(dictionary: Dictionary, places: Sequence[Places], layouts: Sequence[Layout]) -> float:
    """Return how many of the true phrases would be taken for another value of their category.

    Expected, not counted, by the normal tail of their margins: few prompts hold no such error, and words that the table
    lacks have smaller margins than its own.
    """
    table, margins = dictionary.table, list[float]()
    group = torch.tensor([table.category_of[phrase.concept] for phrase in table.phrases])
    concept = torch.tensor([phrase.concept for phrase in table.phrases])
    for one, layout in zip(places, layouts, strict=True):
        at = {row: place for place, row in enumerate(one.words)}
        for span in layout.spans:
            if span.rows[0] in at:
                scores = one.table[:, at[span.rows[0]]]
                others = scores[(group == group[span.phrase]) & (concept != concept[span.phrase])]
                margins.append(float(scores[span.phrase] - others.amax()))
    known = torch.tensor([one for one in margins if math.isfinite(one)])
    if len(known) < 2:
        return 0.0
    return len(known) * float(torch.special.ndtr(-known.mean() / known.std().clamp(min=1e-6)))


def expected_cut(scores: Scores) -> float:
    """Return the cut of an expected category: few false places pass, or it halves the gap to true ones."""
    if not scores.true or not scores.false:
        return min(scores.true, default=0.0)
    cut = _quantile(scores.false, 1 - MISTAKEN)
    return max(cut, (cut + min(scores.true)) / 2)


def best_cut(scores: Scores, missed: float = 1.0) -> tuple[float, float]:
    """Return the cut, between two scores or below all, with the fewest errors, and how many these are.

    Of equal ones it is the middle one. ``missed`` errors are counted for a true place below the cut.
    """
    if not scores.true:
        return 0.0, 0.0
    levels = torch.tensor(sorted({*scores.true, *scores.false}), dtype=torch.float64)
    cuts = torch.cat([levels[:1] - 1e-3, (levels[:-1] + levels[1:]) / 2])
    true, false = (torch.tensor(sorted(one), dtype=torch.float64) for one in scores)
    errors = missed * torch.searchsorted(true, cuts) + len(false) - torch.searchsorted(false, cuts)
    best = rearrange((errors == errors.min()).nonzero(), "n 1 -> n")
    return float(cuts[best[len(best) // 2]]), float(errors.min())
