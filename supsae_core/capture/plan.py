"""What a capture will hold, fixed before it starts: prompts drawn once, whose encoder, and which pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..encoders.base import Encoder, Family
from ..encoders.families.stored import family_from_json, family_to_json
from ..encoders.fingerprints import SAME, distance
from ..files import DamagedError, whole_number
from ..table.concepts import ConceptTable
from ..table.parsing import table_from_mapping
from ..table.prompts import Mention, Prompt
from . import pads, sampling
from .sampling import Sampling

FORMAT_VERSION = 2
SETS = ("fit", "calibration", "rewrite")
"""``rewrite`` i is the prompt rewrite of ``calibration`` i with one concept swapped."""


@dataclass(frozen=True)
class Entry:
    """One prompt of the plan, and how many tokens each encoder spells its words with."""

    prompt: Prompt
    set: str
    counts: Mapping[str, tuple[int, ...]]
    of: str = ""
    """the prompt to fit on that this one rewrites in one phrase, and that stands before it; empty if it is none's"""

    @property
    def root(self) -> str:
        """The text that a prompt and its rewrites share: they belong in one fold."""
        return self.of or self.prompt.text

    @property
    def tokens(self) -> dict[str, int]:
        """Encoder → tokens of the prompt."""
        return {name: sum(counts) for name, counts in self.counts.items()}


@dataclass(frozen=True)
class TextPlan:
    """All that a capture of text will hold."""

    table: ConceptTable
    family: Family
    entries: tuple[Entry, ...]
    held_out: tuple[tuple[int, int], ...]
    fingerprint: Mapping[str, tuple[float, ...]]
    """site → projected output for the probe prompts: which encoder this is"""
    seed: int
    runs: tuple[int, ...] = field(default=(), kw_only=True)
    """prompts of every capture that was merged into this one, whose shards follow one another; none if it is not"""
    whole: bool = field(default=False, kw_only=True)
    """whether every pad is kept: where pictures are drawn from these rows, or models compared that go by position"""

    def longest(self, encoder: Encoder) -> int:
        """Return the most tokens of a slot in an encoder: of a phrase, its punctuation included, or of a template."""
        phrases = (_longest(entry, entry.counts[encoder.name]) for entry in self.entries)
        return max((*phrases, encoder.layout.lead, encoder.layout.tail, 1))

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "table": self.table.to_json(),
            "family": family_to_json(self.family),
            "seed": self.seed,
            "held_out": [list(pair) for pair in self.held_out],
            "fingerprint": {site: list(values) for site, values in self.fingerprint.items()},
            "entries": [asdict(entry) for entry in self.entries],
            "runs": list(self.runs),
            "whole": self.whole,
        }


@dataclass(frozen=True)
class ActivationPlan(TextPlan):
    """All that a capture of text and of activations will hold."""

    sampling: Sampling
    """what is recorded while pictures are sampled"""

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "sampling": self.sampling.to_json()}


def text_bytes(plan: TextPlan) -> int:
    """Return the bytes that a capture's text will take at most, before it starts; equal rows, a tenth, take fewer."""
    return sum(2 * (_numbers(plan, entry) + plan.family.pooled_width) for entry in plan.entries)


def _numbers(plan: TextPlan, entry: Entry) -> int:
    """Return how many numbers are stored of a prompt's rows."""
    family, own = plan.family, pads.rows_by_tokens(plan.family, entry.tokens)
    rows = {name: len(own[some[0].name]) for name, some in family.segments.items()}
    if not plan.whole:
        rows |= {name: rows[name] - len(run) + pads.KEPT for name, run in pads.long_runs(family, entry.tokens).items()}
    return sum(count * family.width_of(name) for name, count in rows.items())


def cond_rows(family: Family, entry: Entry) -> int:
    """Return how many rows the conditioning of a prompt will have."""
    return family.length(entry.tokens)


def difference(there: TextPlan, plan: TextPlan) -> str:
    """Say what two plans differ in, or nothing."""
    if other := other_setup(there, plan):
        return other
    if there.held_out != plan.held_out:
        return "set of held-out pairs"
    if there.seed != plan.seed:
        return "seed"
    if there.entries != plan.entries:
        return "number or wording of prompts"
    return "" if there.runs == plan.runs else "division into parts"


def other_setup(there: TextPlan, plan: TextPlan) -> str:
    """Say what two plans differ in apart from the prompts, or nothing.

    Fingerprints agree up to the rounding of another thread or device.
    """
    for name in ("table", "family"):
        if getattr(there, name) != getattr(plan, name):
            return name
    if distance(there.fingerprint, plan.fingerprint) > SAME:
        return "text encoder"
    both = [one.sampling if isinstance(one, ActivationPlan) else None for one in (there, plan)]
    return sampling.difference(*both)


def _longest(entry: Entry, counts: Sequence[int]) -> int:
    return max((sum(counts[mention.start : mention.stop]) for mention in entry.prompt.mentions), default=1)


def plan_from_json(data: Mapping[str, Any]) -> TextPlan:
    """Rebuild what ``to_json`` of either plan returned."""
    drawn = TextPlan(
        table=table_from_mapping(data["table"]),
        family=family_from_json(data["family"]),
        entries=tuple(_entry(entry) for entry in data["entries"]),
        held_out=tuple((whole_number(a, "held_out"), whole_number(b, "held_out")) for a, b in data["held_out"]),
        fingerprint=sampling.fingerprint_from_json(data["fingerprint"]),
        seed=whole_number(data["seed"], "seed"),
        runs=tuple(whole_number(one, "runs") for one in data.get("runs", ())),
        whole=bool(data.get("whole", "sampling" in data)),
    )
    if drawn.runs and sum(drawn.runs) != len(drawn.entries):
        raise DamagedError("does not say how its prompts are divided")
    for entry in drawn.entries:
        _check_entry(entry, drawn)
    return ActivationPlan(**vars(drawn), sampling=sampling.from_json(data["sampling"])) if "sampling" in data else drawn


def _entry(data: Mapping[str, Any]) -> Entry:
    mentions = [
        Mention(**{key: whole_number(value, key) for key, value in one.items()}) for one in data["prompt"]["mentions"]
    ]
    counts = {name: tuple(whole_number(one, "counts") for one in some) for name, some in data["counts"].items()}
    return Entry(Prompt(tuple(data["prompt"]["words"]), tuple(mentions)), data["set"], counts, data.get("of", ""))


def _check_entry(entry: Entry, plan: TextPlan) -> None:
    """Refuse a prompt that is none of the plan's.

    Raises:
        DamagedError: saying what does not fit.
    """
    words, mentions = entry.prompt.words, entry.prompt.mentions
    if not all(isinstance(one, str) for one in (*words, entry.of)) or entry.set not in SETS:
        raise DamagedError("has a prompt that is no text, or of no set")
    if not all(one.phrase < len(plan.table.phrases) and one.start < one.stop <= len(words) for one in mentions):
        raise DamagedError(f"has mentions that {' '.join(words)[:40]!r} has no room for")
    names = {encoder.name for encoder in plan.family.encoders}
    if set(entry.counts) != names or any(len(counts) != len(words) for counts in entry.counts.values()):
        raise DamagedError(f"does not count the tokens of every word of {' '.join(words)[:40]!r}")
