"""Whether text lies in a model's conditioning where its family says: lengths, words, weights, numbers.

A word is found by saying another one in its place: rows that cannot hear it stay as they are, its own rows change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...supsae_core.encoders.base import Encoder
from ...supsae_core.encoders.placing import rows_of
from ...supsae_core.host import TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable, trim
from ...supsae_core.table.prompts import Prompt, Wording
from .found import CheckLine

LONG = 90
"""Tokens of a long prompt: more than a chunk of CLIP's has words for."""
STILL = 1e-3
"""Change of rows, as a share of them, below which they are the same."""
QUIET = 0.3
"""Change of a row that cannot hear a word, as a share of that of the word's own rows, below which it does not hear it:
encoders that are computed in eight bits round all rows of a text by its largest one."""
WEIGHT = 1.3
Weighted = Callable[[str], Tensor]
"""A text with prompt weights → its rows (L, width), as the host's own nodes encode it."""


class Texts(NamedTuple):
    """What the layout is looked at with."""

    short: Prompt
    long: Sequence[str]
    """its words"""
    more: Sequence[str]
    """words to say in place of others"""


def draw_texts(table: ConceptTable, wording: Wording, host: TextHost, seed: int) -> Texts:
    """Draw a short prompt that says something of the table, and a long one as far as the encoders have room."""
    rng, plain = np.random.default_rng((seed, 21)), replace(wording, others=(), filler_rate=0.0)
    drawn = [prompts.draw_prompt(table, rng, wording=plain, mention=0.8) for _ in range(40)]
    said = [one for one in drawn if one.mentions] or drawn
    short = next((one for one in said if _fits(host, one.words)), said[0])
    long = list(short.words)
    for one in said:
        longer = [*long[:-1], trim(long[-1]) + ",", *one.words]
        if _tokens(host, long) >= LONG or not _fits(host, longer):
            break
        long = longer
    return Texts(short, long, sorted({trim(word) for one in said for word in one.words} - {""}))


def check_layout(host: TextHost, texts: Texts, weighted: Weighted | None = None) -> Iterator[CheckLine]:
    """Look at a host's rows, line by line, until rows are wrong; ``weighted`` is None where it knows no weights."""
    yield _family(host)
    lengths = _lengths(host, texts)
    yield lengths
    if not lengths.holds:
        return
    yield _words(host, texts)
    yield _weights(host, texts.short, weighted)


def _tokens(host: TextHost, words: Sequence[str]) -> int:
    return max(sum(own) for own in host.counts(words).values())


def _fits(host: TextHost, words: Sequence[str]) -> bool:
    counts = host.counts(words)
    rooms = ((one.layout.room, sum(counts[one.name])) for one in host.family.encoders)
    return all(room is None or tokens <= room for room, tokens in rooms)


def _family(host: TextHost) -> CheckLine:
    family = host.family
    title, names = family.title or family.name, ", ".join(one.name for one in family.encoders)
    told = f"{title} ({names}) with rows of {family.width:d} numbers and no pooled vector"
    if family.pooled:
        told = f"{title} ({names}) with rows of {family.width:d} numbers and a pooled vector of {family.pooled_width:d}"
    layouts = {one.name: one.layout.policy for one in family.encoders}
    numbers = {"family": family.name, "width": family.width, "pooled": family.pooled_width, "encoders": layouts}
    return CheckLine("family", True, told, numbers)


def _lengths(host: TextHost, texts: Texts) -> CheckLine:
    """Hold the number of rows against the family's, and look for what is no number."""
    some = {"empty": [], "short": list(texts.short.words), "long": list(texts.long)}
    said = [" ".join(words) for words in some.values()]
    conds, pooled = host.encode(said)
    wanted = [host.family.length({k: sum(v) for k, v in host.counts(words).items()}) for words in some.values()]
    found = [len(cond) for cond in conds]
    sound = all(bool(one.isfinite().all()) for one in (*conds, *pooled))
    again = host.encode(said[1:2])[0][0]
    same = again.shape == conds[1].shape and bool((again - conds[1]).norm() <= STILL * conds[1].norm())
    numbers = {"rows": dict(zip(some, found, strict=True)), "expected": dict(zip(some, wanted, strict=True))}
    numbers |= {"finite": sound, "repeats": same}
    if found == wanted and sound:
        numbers["roles"] = _roles(host, conds[1], texts.short)
    empty, short, long = found
    told = f"{empty:d} of the empty prompt, {short:d} of a short and {long:d} of a long one, as they should be"
    if found != wanted:
        told = (
            f"The rows are {_listed(found)} of an empty, a short and a long prompt; they should be {_listed(wanted)}."
        )
    elif not sound:
        told = "Some rows hold what is no number (nan or inf): load the text encoders in another precision."
    elif not same:
        told = "The same prompt does not give the same rows twice."
    return CheckLine("rows", found == wanted and sound and same, told, numbers)


def _listed(some: Sequence[int]) -> str:
    return ", ".join(map(str, some))


def _roles(host: TextHost, cond: Tensor, prompt: Prompt) -> dict[str, Any]:
    """Return encoder → how many rows of a prompt are template, pads, start and end; words are the rest."""
    rows, counts, made = rows_of(cond, host.family), host.counts(prompt.words), {}
    for encoder in host.family.encoders:
        own = rows.of(encoder)
        ends = encoder.layout.ends(own, sum(counts[encoder.name]))
        found = encoder.layout.roles(own, ends, set())
        made[encoder.name] = {role: len(some) for role, some in found._asdict().items() if some}
    return made


def _words(host: TextHost, texts: Texts) -> CheckLine:
    """Say another word in the place of each word, and see whether the rows change where it stands."""
    words = list(texts.short.words)
    counts, (before,) = host.counts(words), host.encode([" ".join(words)])[0]
    tried, missed = list[str](), dict[str, list[str]]()
    for place, word in enumerate(words):
        other = _instead(host, words, place, texts.more, counts)
        if other is not None:
            tried.append(word)
            after = host.encode([" ".join(other)])[0][0]
            lost = [one.name for one in host.family.encoders if not _changes(host, one, counts, place, before, after)]
            if lost:
                missed[word] = lost
    numbers = {"tried": len(tried), "missed": missed}
    if not tried:
        return CheckLine("words", None, "not tried: no word of the prompt has another one of as many tokens", numbers)
    right = len(tried) - len(missed)
    told = f"{right:d} of {len(tried)} words of a prompt stand in the rows where they are looked for"
    return CheckLine("words", not missed, told, numbers)


def _instead(
    host: TextHost, words: Sequence[str], place: int, more: Sequence[str], counts: Mapping[str, Sequence[int]]
) -> list[str] | None:
    """Return the words with another one in a place, spelled with as many tokens everywhere; None if there is none."""
    word = words[place]
    marks = word[len(trim(word)) :]
    for one in more:
        made = [*words[:place], one + marks, *words[place + 1 :]]
        if one.casefold() != trim(word).casefold() and host.counts(made) == counts:
            return made
    return None


def _changes(
    host: TextHost, encoder: Encoder, counts: Mapping[str, Sequence[int]], place: int, before: Tensor, after: Tensor
) -> bool:
    """Tell whether a word's rows change, and no row that cannot hear it."""
    own, columns = rows_of(before, host.family).of(encoder), slice(encoder.first, encoder.last)
    first = sum(counts[encoder.name][:place])
    rows = [encoder.layout.place(own, first + token) for token in range(counts[encoder.name][place])]
    one, other = (x[own.start : own.stop, columns].double() for x in (before, after))
    change = (other - one).norm(dim=1) / one.norm(dim=1).clamp(min=torch.finfo(torch.float32).tiny)
    every = torch.arange(own.start, own.stop)
    deaf = ~encoder.layout.hears(own, every, rows[0])
    deaf[[row - own.start for row in rows]] = False
    at = change[[row - own.start for row in rows]]
    words = [encoder.layout.place(own, token) - own.start for token in range(sum(counts[encoder.name]))]
    quiet = (change[deaf] < QUIET * at.max()).all()
    return bool(at.max() > STILL and at.max() >= change[words].median() and quiet)


def _weights(host: TextHost, prompt: Prompt, weighted: Weighted | None) -> CheckLine:
    """Weigh a phrase of a prompt, and see what becomes of its rows."""
    if weighted is None or not prompt.mentions:
        return CheckLine("weights", None, "not tried: this host knows no prompt weights")
    words, one = list(prompt.words), prompt.mentions[0]
    last = words[one.stop - 1]
    words[one.start] = "(" + words[one.start]
    words[one.stop - 1] = trim(words[one.stop - 1]) + f":{WEIGHT})" + last[len(trim(last)) :]
    rows, plain = weighted(" ".join(words)), host.encode([prompt.text])[0][0]
    more = len(rows) - len(plain)
    if more:
        told = f"a weighted prompt is spelled with {more:d} more rows"
        if len(rows) == host.family.length({name: sum(own) for name, own in host.counts(words).items()}):
            told = f"weights are read as words, in {more:d} more rows: use a slider instead"
        return CheckLine("weights", True, told, {"more_rows": more})
    moved = float((rows - plain).norm() / plain.norm())
    numbers = {"more_rows": 0, "moved": round(moved, 4)}
    if not moved:
        return CheckLine("weights", True, "weights change nothing: use a slider instead", numbers)
    return CheckLine("weights", True, f"a weight of {WEIGHT:g} moves the rows by {moved:.1%}, and adds none", numbers)
