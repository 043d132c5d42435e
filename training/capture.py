"""Plan and run a text capture: draw prompts, hold pairs out, add calibration rewrites; encoded in ``encoding.py``."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..supsae_core.capture.captures import Capture, load_capture, start_capture
from ..supsae_core.capture.plan import Entry, TextPlan
from ..supsae_core.claims import claims
from ..supsae_core.files import alone_in
from ..supsae_core.host import Progress, TextHost, text_fingerprint
from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.prompts import PLAIN, Prompt, Wording
from ..supsae_core.table.rewrites import draw_rewrite
from . import distributed
from .encoding import encode_missing

SMALL = 200
"""Prompts to fit on below which a prompt has one rewrite, so that there are many prompts; above there are three."""
WAIT = 30.0
"""Seconds for which another process may begin the same capture."""
FEWER = (1.0, 0.6, 0.36, 0.22, 0.13)
"""Shares of the mention rate that are tried, one after the other, until a prompt fits the encoders."""
LITTLE = 3
"""Other things that a prompt names at most which says little."""
TRIES = 8
"""Rewrites drawn for each that is wanted, before there are fewer."""


@dataclass(frozen=True)
class CaptureConfig:
    """How a capture is drawn."""

    prompts: int = 300
    """prompts to fit on, their rewrites among them"""
    calibration: int = 64
    """prompts kept for calibration, each with a rewrite"""
    mention: float = 0.75
    """chance that a category is mentioned, lower where there are many and in the prompts that say little"""
    held_out: float = 0.0
    """share of pairs of concepts never written together, to test on"""
    seed: int = 0
    rewrites: int | None = None
    """of every prompt to fit on, to learn edits from; 0 for none, None for one in a small capture, else three"""
    brief: float = 0.2
    """share of prompts to fit on that say little, as people do: any part of what the rest says. Who learns without them
    edits "blond hair, in a forest" by what a phrase does among seven others"""

    @property
    def rewrites_each(self) -> int:
        """Rewrites of a prompt to fit on."""
        return (1 if self.prompts < SMALL else 3) if self.rewrites is None else self.rewrites

    def __post_init__(self) -> None:
        if self.prompts < 10 or self.calibration < 4:
            raise ValueError(
                f"A capture needs at least 10 prompts and 4 calibration prompts, not {self.prompts} and "
                f"{self.calibration}."
            )
        if self.rewrites is not None and not 0 <= self.rewrites < self.prompts:
            raise ValueError(
                f"A prompt can have 0 to {self.prompts - 1} rewrites, not {self.rewrites}: they are among the "
                f"{self.prompts} prompts to fit on."
            )
        if not 0 < self.mention <= 1 or not 0 <= self.held_out <= 0.5:
            raise ValueError(
                "The mention rate must be above 0 and at most 1 and the held-out share in 0 … 0.5, not "
                f"{self.mention} and {self.held_out}."
            )
        if not 0 <= self.brief <= 1:
            raise ValueError(f"The share of brief prompts must be in 0 … 1, not {self.brief}.")


def plan_text(
    table: ConceptTable,
    host: TextHost,
    config: CaptureConfig,
    wording: Wording = PLAIN,
    held_out: frozenset[prompts.Pair] | None = None,
    *,
    progress: Progress | None = None,
) -> TextPlan:
    """Draw every prompt of a capture; the same arguments give the same plan.

    Args:
        host: counts tokens and knows how long a prompt may be.
        progress: told of every prompt; may raise to interrupt.
        held_out: pairs of concepts never to write together; otherwise the configured share of them is drawn.

    Raises:
        ValueError: if the host would cut a prompt off.
    """
    if held_out is None:
        held_out = prompts.hold_out_pairs(table, config.held_out, config.seed)
    rng, rate = np.random.default_rng((config.seed, 1)), prompts.mention_rate(table, config.mention)
    used = [0] * len(table.phrases)
    draw = partial(prompts.draw_prompt, table, rng, held_out=held_out, used=used)

    again, brief = (np.random.default_rng((config.seed, stream)) for stream in (3, 4))
    entries: list[Entry] = []
    told = progress or (lambda done, total: None)
    total = config.prompts + 2 * config.calibration
    while len(entries) < config.prompts:
        told(len(entries), total)
        count = min(config.rewrites_each, config.prompts - len(entries) - 1)

        def to_fit(worded: Wording, share: float, count: int = count) -> list[Entry]:
            prompt = draw(wording=worded, mention=share * rate)
            return _with_rewrites(host, table, again, prompt, count, held_out, used)

        entries += _with_room(host, to_fit, *_how_much(wording, config.brief, brief, used), used)
    rng = np.random.default_rng((config.seed, 2))
    for index in range(config.calibration):
        told(len(entries), total)

        def to_calibrate(worded: Wording, share: float, new: int = index % len(table)) -> list[Entry]:
            prompt, changed = calibration_pair(table, rng, new, worded, share * rate, held_out)
            return [_entry(host, prompt, "calibration"), _entry(host, changed, "rewrite")]

        entries += _with_room(host, to_calibrate, wording, 1.0, used)
    pairs = sorted((min(pair), max(pair)) for pair in held_out)
    return TextPlan(table, host.family, tuple(entries), tuple(pairs), text_fingerprint(host), config.seed)


def _how_much(wording: Wording, share: float, rng: np.random.Generator, used: Sequence[int]) -> tuple[Wording, float]:
    """Draw how much a prompt says of other things, and its share of the mention rate: much until every phrase stood."""
    if rng.random() >= share or 0 in used:
        return wording, 1.0
    return replace(wording, full=min(wording.full, int(rng.integers(LITTLE + 1)))), float(rng.uniform())


def _with_rewrites(
    host: TextHost,
    table: ConceptTable,
    rng: np.random.Generator,
    prompt: Prompt,
    count: int,
    held_out: frozenset[prompts.Pair],
    used: list[int],
) -> list[Entry]:
    """Return a prompt to fit on and, behind it, as many rewrites of it as there are up to a number."""
    found: dict[str, Entry] = {}
    for _ in range(TRIES * count):
        made = draw_rewrite(table, rng, prompt, held_out=held_out, used=used) if len(found) < count else None
        if made is not None and made.text != prompt.text:
            entry = replace(_entry(host, made, "fit"), of=prompt.text)
            with suppress(ValueError):  # too long
                _require_room(host, [entry])
                found.setdefault(made.text, entry)
    return [_entry(host, prompt, "fit"), *found.values()]


OPENING = "picture,"
"""A word that says nothing."""


def _with_room(
    host: TextHost, make: Callable[[Wording, float], list[Entry]], wording: Wording, rate: float, used: list[int]
) -> list[Entry]:
    """Make entries; where the host would cut them off, anew with fewer phrases about other things, none, fewer of ours.

    Args:
        make: (wording, share of the mention rate) → entries.
        rate: share of it to begin with.
    """
    before, bare = list(used), replace(wording, others=())
    filled = [replace(wording, full=full) for full in (wording.full, wording.full // 2)] if wording.others else []
    *tries, last = [*((one, rate) for one in filled), *((bare, rate * share) for share in FEWER)]
    for one in tries:
        made = _opened(host, make(*one))
        with suppress(ValueError):
            _require_room(host, made)
            return made
        used[:] = before  # nobody writes what was drawn
    made = _opened(host, make(*last))
    _require_room(host, made)
    return made


def _opened(host: TextHost, entries: list[Entry]) -> list[Entry]:
    """Put a word before entries one of which begins with a phrase that is spelled otherwise there than behind a blank.

    Tokenizers that glue a word to its blank do so, and a phrase is learnt by its tokens.
    """
    if not any(_begins_otherwise(host, one.prompt) for one in entries):
        return entries
    moved = {one.prompt.text: prompts.opened(one.prompt, OPENING) for one in entries}
    return [
        replace(_entry(host, moved[one.prompt.text], one.set), of=moved[one.of].text if one.of else one.of)
        for one in entries
    ]


def _begins_otherwise(host: TextHost, prompt: Prompt) -> bool:
    if all(mention.start for mention in prompt.mentions):
        return False
    first = prompt.words[0]
    alone, behind = host.counts([first]), host.counts([OPENING, first])
    return any(alone[name][0] != behind[name][1] for name in alone)


def _require_room(host: TextHost, entries: Sequence[Entry]) -> None:
    for one in entries:
        host.family.require_room({encoder: sum(some) for encoder, some in one.counts.items()}, one.prompt.text)


def calibration_pair(
    table: ConceptTable,
    rng: np.random.Generator,
    new: int,
    wording: Wording,
    mention: float,
    held_out: frozenset[prompts.Pair],
) -> tuple[Prompt, Prompt]:
    """Draw a prompt that says another value of a concept's category, and its rewrite.

    Args:
        mention: chance that another category is mentioned.
    """
    members = [one for one in table.categories[table.concepts[new].category] if one != new]
    old = int(rng.choice(members))
    others = (frozenset((other, old)) for other in range(len(table)) if frozenset((other, new)) in held_out)
    avoid = held_out.union(others)  # whatever the new concept must not meet, the old one does not meet either
    prompt = prompts.draw_prompt(table, rng, wording=wording, mention=mention, held_out=avoid, require=[old])
    return prompt, prompts.rewrite(table, prompt, old, new)


def capture_text(
    host: TextHost, folder: str | Path, to_do: TextPlan, *, progress: Progress | None = None, batch: int = 32
) -> Capture:
    """Encode what is missing of a planned capture, and what is damaged; other processes may do so in the same folder.

    Ranks do it together, after the first has begun it.

    Raises:
        BusyError: if another process does something else there.
    """
    begun = list[Capture]()
    distributed.led(lambda: begun.append(begin_text(folder, to_do).capture))
    return encode_missing(host, begun[0] if begun else load_capture(folder), progress, batch)


class Begun(NamedTuple):
    """A capture that can be encoded."""

    capture: Capture
    damaged: int
    """shards that were, and are missing now"""
    others: int
    """processes that encode it already"""


def begin_text(folder: str | Path, to_do: TextPlan) -> Begun:
    """Begin a capture or go on with the one that is there; what others work on was looked through for damage by them.

    Raises:
        BusyError: if another process does something else there.
        ValueError: as ``start_capture``.
    """
    with alone_in(Path(folder), wait=WAIT):
        capture = start_capture(folder, to_do)
        others = sum(claims(capture.folder).values())
        return Begun(capture, 0 if others else len(capture.discard_damaged()), others)


def _entry(host: TextHost, prompt: Prompt, name: str) -> Entry:
    return Entry(prompt, name, host.counts(prompt.words))


def unmentioned(table: ConceptTable, supports: Sequence[Sequence[int]]) -> tuple[bool, ...]:
    """Tell, per category, whether some prompt leaves it out: only then is removal identified."""
    found = []
    for members in table.categories.values():
        found.append(any(set(members).isdisjoint(one) for one in supports))
    return tuple(found)
