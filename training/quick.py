"""A slider at once: a dictionary of two poles, learnt from a few prompts that are worded and encoded for it.

The poles are one category of two concepts. Its phrases are the poles without an article before them, so that a prompt
may say "the young woman" too. Whole poles and not the words that differ: a single word such as "red" is what other
things are said to be as well, and is then not found again in the rows. Beside them stands a category of other things:
codes of two phrases alone span too few directions to tell these from the rest of a prompt
(``benchmarks/quick_concept.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import chain, pairwise

from ..supsae_core.capture.plan import Entry, TextPlan
from ..supsae_core.capture.statistics import fold_of
from ..supsae_core.dictionary.clash import FILLER
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import Progress, TextHost
from ..supsae_core.reading.known_text import ARTICLES
from ..supsae_core.table import foreign
from ..supsae_core.table.concepts import ConceptTable, normal, trim
from ..supsae_core.table.parsing import table_from_mapping
from ..supsae_core.table.prompts import PLAIN, Wording
from .capture import CaptureConfig, capture_text, plan_text
from .fit import fit_dictionary
from .operators.fit import TEST

PAIRS, FEWEST, MOST = 32, 8, 256
"""Pairs of a prompt and its rewrite to learn from: as a rule, at least, at most."""
CALIBRATION = 8
"""Further pairs that say what strength 1 means and whether the poles are found again."""
OTHERS, THINGS = FILLER, 12
"""Category of things beside the poles, and how many."""
JUDGED = 12
"""Pairs for each of which one that says the other pole is to be in the fold that operators are judged on."""
SEEDS, DRAWN = 20, 4
"""Draws of prompts for one in which operators can be judged; prompts that are drawn for each that is taken."""


def quick_table(low: str, high: str) -> ConceptTable:
    """Return the table of two poles, such as "a young woman" and "an old woman": one category of two concepts.

    Raises:
        ValueError: if a pole is empty, both are the same, or they differ in more than one place.
    """
    poles = {"low": low, "high": high}
    words = {name: _without_article(pole) for name, pole in poles.items()}
    for name, own in words.items():
        if not own:
            raise ValueError(
                f"The {name} pole {poles[name]!r} says nothing. Write a few words, such as 'a young woman'."
            )
    one, other = words.values()
    differ = _apart(one, other)
    if not differ:
        raise ValueError(
            f"Both poles say {' '.join(one)!r}. Write two that differ, such as 'a young woman' and 'an old woman'."
        )
    if len(differ) > 1:
        found = " and ".join(f"{' '.join(a) or 'nothing'!r} to {' '.join(b) or 'nothing'!r}" for a, b in differ)
        raise ValueError(
            f"The poles differ in more than one place, {found}: one slider would change both at once. Write poles that "
            "differ in one phrase, and make a slider for each."
        )
    low_words, high_words = (" ".join(own) for own in words.values())
    category = " or ".join(" ".join(side) or "not" for side in differ[0])
    return table_from_mapping({category: {low_words: [low_words], high_words: [high_words]}})


def with_others(table: ConceptTable, wording: Wording = PLAIN) -> ConceptTable:
    """Return a table of poles with a second category: things that a wording speaks of, of other words."""
    others = foreign.apart(table, wording.others)
    others = others[:: max(1, len(others) // THINGS)][:THINGS]
    return table_from_mapping({**table.to_json(), OTHERS: list(others)}) if others else table


def plan_quick(table: ConceptTable, host: TextHost, pairs: int = PAIRS, wording: Wording = PLAIN) -> TextPlan:
    """Draw the prompts of two poles, a table's first category: pairs to learn from, and others to calibrate on.

    Three quarters of the pairs change a pole, and all of those to calibrate on. Other things are not worded in the
    poles' own words: so few prompts cannot tell these apart.

    Raises:
        ValueError: if the number of pairs is out of bounds, or the poles have no room in a prompt.
    """
    if not FEWEST <= pairs <= MOST:
        raise ValueError(f"A quick concept is learnt from {FEWEST} to {MOST} pairs of prompts, not {pairs}.")
    plain, poles = replace(wording, shared=0.0), set(next(iter(table.categories.values())))
    known = -(-CALIBRATION * len(table) // len(poles))
    config = CaptureConfig(prompts=DRAWN * 2 * pairs, calibration=known, rewrites=1, brief=0.0)  # of few, as measured
    plans = [_taken(plan_text(table, host, replace(config, seed=0), plain), poles, pairs)]
    for seed in range(1, SEEDS):
        if _is_judged(plans[-1], poles):
            break
        plans.append(_taken(plan_text(table, host, replace(config, seed=seed), plain), poles, pairs))
    return plans[-1]


def _taken(plan: TextPlan, poles: Collection[int], pairs: int) -> TextPlan:
    """Return the prompts of a plan that are encoded."""
    some = (*_pairs_of(plan, poles, pairs), *_calibration_of(plan, poles))
    return replace(plan, entries=tuple(chain.from_iterable(some)))


def _is_judged(plan: TextPlan, poles: Collection[int]) -> bool:
    """Tell whether enough pairs that say the other pole are in the fold that operators are judged on."""
    supports = [{*entry.prompt.support(plan.table)} for entry in plan.entries]
    swaps = [
        fold_of(other.of) == TEST and len((supports[at] ^ supports[at + 1]).intersection(poles)) == 2
        for at, (one, other) in enumerate(pairwise(plan.entries))
        if other.of == one.prompt.text
    ]
    return sum(swaps) >= max(1, len(swaps) // JUDGED)


def _pairs_of(plan: TextPlan, poles: Collection[int], count: int) -> list[tuple[Entry, Entry]]:
    """Return so many pairs of prompts to fit on, those that change a pole before others."""
    fit = [entry for entry in plan.entries if entry.set == "fit"]
    every = [(one, other) for one, other in pairwise(fit) if other.of == one.prompt.text]
    own, rest = ([pair for pair in every if _changes(plan.table, pair, poles) == side] for side in (True, False))
    few = count - min(len(rest), count // 4)
    return [*own[:few], *rest[: count - min(len(own), few)]]


def _calibration_of(plan: TextPlan, poles: Collection[int]) -> list[tuple[Entry, Entry]]:
    """Return the pairs to calibrate on that change a pole."""
    known, rewrites = ([one for one in plan.entries if one.set == name] for name in ("calibration", "rewrite"))
    return [pair for pair in zip(known, rewrites, strict=True) if _changes(plan.table, pair, poles)][:CALIBRATION]


def _changes(table: ConceptTable, pair: tuple[Entry, Entry], poles: Collection[int]) -> bool:
    """Tell whether two prompts differ in a pole."""
    one, other = ({*entry.prompt.support(table)} for entry in pair)
    return not (one ^ other).isdisjoint(poles)


def learn_quick(plan: TextPlan, host: TextHost, *, progress: Progress | None = None, batch: int = 8) -> Dictionary:
    """Encode a plan's prompts and fit a dictionary to them; the encodings are forgotten.

    Args:
        progress: told of every few prompts, and then of the fit; may raise to interrupt.
    """
    tell, half = progress or (lambda done, total: None), len(plan.entries)
    with tempfile.TemporaryDirectory() as folder:
        made = capture_text(host, folder, plan, progress=lambda done, _: tell(done, 2 * half), batch=batch)
        return fit_dictionary(made, progress=lambda done, total: tell(half + half * done // total, 2 * half))


def _without_article(pole: str) -> list[str]:
    """Return the words of a pole, no article before them and no marks around them."""
    words = trim(" ".join(pole.split())).split()
    return words[1:] if len(words) > 1 and words[0].casefold() in ARTICLES else words


def _apart(one: Sequence[str], other: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Return what differs between two lists of words, place by place."""
    a, b = ([normal(word) for word in words] for words in (one, other))
    codes = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [(list(one[i:j]), list(other[k:m])) for kind, i, j, k, m in codes if kind != "equal"]
