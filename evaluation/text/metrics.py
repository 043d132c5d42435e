"""What a dictionary is worth to its text encoders, without a picture: fresh prompts, decoded, edited and read.

Letters (docs/method.md, 1): x a row, x̂ its decode in its true context, Δ the change of an edit, Δ_word that
of the rewrite.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...supsae_core.dictionary.model import POOLED, Dictionary
from ...supsae_core.host import Progress, TextHost, check_host
from ...training import distributed
from ...training.calibration import GAIN_RANGE
from ..cases import Case
from ..intervals import Interval, share
from ..results import Section
from .cases import TextConfig, encoded_cases, held_out_pairs, text_cases
from .sums import CaseSums, heard, sums_of

BATCH = 8
"""Cases encoded together: two prompts each, of up to 5 MB in SD3's layout."""
ALIKE = 0.8
"""Cosine between Δ and Δ_word below which a poor calibration is one of direction, not of size."""


class PartScore(NamedTuple):
    """How well one encoder (or the pooled vector) is decoded and edited, in shares of squares; None: none sums."""

    fvu_slot: float | None
    """‖x − x̂‖² of ‖x − the slot's training mean‖²: what decoding leaves of the effect of context"""
    fvu_token: float | None
    """‖x − x̂‖² of ‖x − the mean of all tokens‖²; None for the pooled vector, which is one slot"""
    undone: float | None
    """‖Δ_word − Δ‖² of ‖Δ_word‖²: what a swap leaves of the change that rewriting the prompt makes"""


class SplitScore(NamedTuple):
    """What the swaps of one split came to."""

    swaps: int
    parts: Mapping[str, PartScore]
    located: Interval
    """categories of the rewritten prompts whose concept and exact span are read, or that are unmentioned and so read"""
    named: Interval
    """the same for the concept alone, wherever it was found"""


class Calibration(NamedTuple):
    """How a concept's swaps compare with writing its word, in one part."""

    mean: float
    """⟨Δ, Δ_word⟩ / ‖Δ‖² over all swaps, Δ as strength 1 applies it: 1 is as much as the word"""
    spread: float
    """standard deviation of the same of single swaps"""
    cosine: float
    """between Δ and Δ_word"""
    undone: float
    """‖Δ_word − Δ‖² of ‖Δ_word‖²"""
    gain: float
    """what the dictionary multiplies its own change by at strength 1"""


class ConceptScore(NamedTuple):
    """How well one concept can be written."""

    swaps: int
    """that could be made"""
    parts: Mapping[str, Calibration]
    """empty if none could"""
    poor: str
    """why it is poorly learnt, a sentence, or empty"""


class TextMetrics(NamedTuple):
    """All that is measured on the text encoders alone."""

    dictionary: Dictionary
    config: TextConfig
    splits: Mapping[str, SplitScore]
    concepts: Mapping[str, ConceptScore]
    unchanged: Interval
    """edits at strength 0 that return the very same tensors"""
    notes: list[str]
    """what could not be measured and why, sentences"""

    def json(self) -> dict[str, Any]:
        """Return every number, and what it was measured on."""
        made, asked = self.dictionary, self.config
        return {
            "settings": {name: getattr(asked, name) for name in ("prompts", "seed", "mention")},
            "fitted": made.report.get("parts", {}),
            "splits": self.splits,
            "concepts": self.concepts,
            "strength_0_unchanged": self.unchanged,
            "identified": dict(zip(made.table.categories, made.identified, strict=True)),
            "never_captured": never_captured(made),
            "notes": self.notes,
        }


def plain(value: Any) -> Any:
    """Return named tuples and mappings, however deep, as JSON, numbers rounded to four places."""
    if isinstance(value, Interval):
        return value.json()
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def never_captured(dictionary: Dictionary) -> list[str]:
    """Return the concepts that no captured prompt wrote."""
    return [str(dictionary.table.concepts[index]) for index, slot in enumerate(dictionary.writes) if slot is None]


def text_section(
    dictionary: Dictionary, host: TextHost, config: TextConfig, *, progress: Progress | None = None
) -> Section:
    """Return the section of results that ``text_metrics`` makes."""
    return Section(plain(text_metrics(dictionary, host, config, progress=progress).json()))


def text_metrics(
    dictionary: Dictionary,
    host: TextHost,
    config: TextConfig,
    *,
    progress: Progress | None = None,
) -> TextMetrics:
    """Measure a dictionary on swaps in fresh prompts of its own table; memory does not grow with them.

    Args:
        dictionary: fitted to the host's encoders.
        host: of the encoders; two prompts a case are encoded.
        progress: called with (cases that this rank has done, cases); may raise to interrupt.

    Raises:
        ValueError: if the dictionary is of another encoder, or the prompts drawn have no room in it.
    """
    check_host(dictionary, host)
    drawn, notes = text_cases(dictionary, host, config)
    sums = list(_sums(dictionary, host, drawn, progress))
    splits, concepts = dict[str, SplitScore](), dict[str, ConceptScore]()
    for name in drawn:
        splits[name] = _split_score(dictionary, [one for one in sums if one.split == name])
    asked = {one.concept for one in sums}
    for index, concept in enumerate(dictionary.table.concepts):
        concepts[str(concept)] = _concept_score(dictionary, index, [one for one in sums if one.concept == index])
    left = [name for index, name in enumerate(concepts) if index not in asked]
    if left:
        notes.append(f"No prompt drawn asked for {', '.join(left)}, of which nothing can be said. Draw more prompts.")
    return TextMetrics(dictionary, config, splits, concepts, share([one.unchanged for one in sums]), notes)


def _sums(
    dictionary: Dictionary, host: TextHost, drawn: Mapping[str, Sequence[Case]], progress: Progress | None
) -> Iterator[CaseSums]:
    """Encode and judge the cases of every split, every rank its share of what is encoded together."""
    todo, held_out = [(name, case) for name, cases in drawn.items() for case in cases], held_out_pairs(dictionary)
    told, done = progress or (lambda done, total: None), 0

    def judged(start: int) -> list[list[Any]]:
        nonlocal done
        told(done, len(todo))
        some = todo[start : start + BATCH]
        rows = encoded_cases(host, [case for _, case in some])
        made = [sums_of(dictionary, held_out, *one, *pair).said() for one, pair in zip(some, rows, strict=True)]
        done += len(some)
        told(done, len(todo))  # before it is handed over: who has all has counted all
        return made

    for some in distributed.shared(range(0, len(todo), BATCH), judged):
        yield from map(heard, some)
    told(done, len(todo))


def _split_score(dictionary: Dictionary, sums: Sequence[CaseSums]) -> SplitScore:
    found = [one for some in sums for one in some.located]
    return SplitScore(
        len(sums),
        {name: _part_score(name, sums) for name in dictionary.parts},
        share([one.exact for one in found]),
        share([one.named for one in found]),
    )


def _part_score(name: str, sums: Sequence[CaseSums]) -> PartScore:
    error, slot, token = _summed([one.decoded[name] for one in sums], 3)
    _, _, word, left = _summed([one.moved[name] for one in sums if one.moved], 4)
    return PartScore(_ratio(error, slot), None if name == POOLED else _ratio(error, token), _ratio(left, word))


def _summed(rows: Sequence[Tensor], width: int) -> list[float]:
    return torch.stack(list(rows)).sum(0).tolist() if rows else [0.0] * width


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _concept_score(dictionary: Dictionary, index: int, sums: Sequence[CaseSums]) -> ConceptScore:
    made = [one.moved for one in sums if one.moved]
    parts = {
        name: _calibration([one[name] for one in made], float(part.gains[index]))
        for name, part in dictionary.parts.items()
        if made
    }
    return ConceptScore(len(made), parts, _why_poor(dictionary, index, parts, sums))


def _calibration(rows: Sequence[Tensor], gain: float) -> Calibration:
    dot, norm, word, left = _summed(rows, 4)
    tiny = torch.finfo(torch.float64).tiny
    single = [float(row[0] / row[1].clamp(min=tiny)) for row in rows]
    cosine = dot / max(norm * word, tiny) ** 0.5
    return Calibration(dot / max(norm, tiny), float(np.std(single)), cosine, left / max(word, tiny), gain)


def _why_poor(dictionary: Dictionary, index: int, parts: Mapping[str, Calibration], sums: Sequence[CaseSums]) -> str:
    """Say why a concept cannot be trusted, or nothing."""
    if dictionary.writes[index] is None:
        return "No captured prompt wrote it. Capture more prompts."
    if not parts:
        return Counter(one.refused for one in sums).most_common(1)[0][0] if sums else ""
    low, high = GAIN_RANGE
    applied = float(np.mean([one.mean for one in parts.values()]))
    own = float(np.mean([one.mean * one.gain for one in parts.values()]))
    off = next((value for value in (own, applied) if not low <= value <= high), None)
    if off is None:
        return ""
    name, worst = min(parts.items(), key=lambda one: one[1].cosine)
    if worst.cosine < ALIKE:
        return f"Its change points elsewhere than the word's, most so in {name} (cosine {worst.cosine:.2f})."
    if off > high:
        return f"Its change is too small: writing the word is {off:.2f} times as much."
    return f"Its change is too large: writing the word is {off:.2f} times as much."
