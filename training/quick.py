"""A slider at once: a dictionary of two poles, learnt from a few prompts that are worded and encoded for it.

The poles are one category of two concepts. Its phrases are the poles without an article before them, so that a prompt
may say "the young woman" too. Whole poles and not the words that differ: a single word such as "red" is what other
things are said to be as well, and is then not found again in the rows (``benchmarks/quick_concept.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.capture.statistics import FOLDS, fold_of
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import Progress, TextHost
from ..supsae_core.reading.known_text import ARTICLES
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
SEEDS = 50
"""Draws of prompts for one of which enough pairs are in the fold that operators are judged on."""


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


def plan_quick(table: ConceptTable, host: TextHost, pairs: int = PAIRS, wording: Wording = PLAIN) -> TextPlan:
    """Draw the prompts of two poles: pairs to learn from, and others to calibrate on.

    Other things are not worded in the poles' own words: so few prompts cannot tell these apart.

    Raises:
        ValueError: if the number of pairs is out of bounds, or the poles have no room in a prompt.
    """
    if not FEWEST <= pairs <= MOST:
        raise ValueError(f"A quick concept is learnt from {FEWEST} to {MOST} pairs of prompts, not {pairs}.")
    plain = replace(wording, shared=0.0)
    config = CaptureConfig(prompts=2 * pairs, calibration=CALIBRATION, rewrites=1)
    for seed in range(SEEDS):
        plan = plan_text(table, host, replace(config, seed=seed), plain)
        roots = [fold_of(entry.of) for entry in plan.entries if entry.of]
        if roots.count(TEST) >= max(1, len(roots) // (FOLDS + 1)):
            return plan
    return plan_text(table, host, config, plain)


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
