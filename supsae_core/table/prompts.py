"""Draw prompts from a concept table in free wording, with pairs of concepts held out, and rewrite them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..stopping import heed
from .concepts import ConceptTable, trim
from .foreign import EVERYDAY, apart, draw_foreign

Pair = frozenset[int]
"""Two concepts of different categories."""


MENTIONED = 10.5
"""Categories that a prompt mentions on average at most: more do not fit a text encoder's 75 tokens."""


@dataclass(frozen=True)
class Mention:
    """A phrase of the table standing in a prompt: whitespace words ``start`` to ``stop`` (exclusive)."""

    phrase: int
    start: int
    stop: int


@dataclass(frozen=True)
class Prompt:
    """Whitespace words (punctuation stays on its word) and the mentions in order of writing."""

    words: tuple[str, ...]
    mentions: tuple[Mention, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def support(self, table: ConceptTable) -> tuple[int, ...]:
        """Return the concepts present, in order of writing."""
        return tuple(table.phrases[mention.phrase].concept for mention in self.mentions)


@dataclass(frozen=True)
class Wording:
    """How prompts are worded: what may stand before, between and behind the phrases. All may be multi-word."""

    openers: tuple[str, ...] = ("a picture with", "a photo,", "an illustration of", "a scene with", "")
    joiners: tuple[str, ...] = (",", ",", "and", "with", ", also")
    fillers: tuple[str, ...] = ("highly detailed", "soft light", "masterpiece", "sharp focus", "in the middle")
    filler_rate: float = 0.15
    """Chance of a filler after each phrase."""
    leads: tuple[str, ...] = ("a", "the", "his", "her", "wearing", "wearing a", "has", "in front of", "in a")
    """What may stand right before a phrase of the table: it says "golden crown", people "wearing a golden crown"."""
    lead_rate: float = 0.2
    """Chance that it does."""
    others: tuple[str, ...] = ()
    """Phrases about other things than a table's, if some share no word with it. Whoever learns without them reads badly
    among words of no concept."""
    shared: float = 0.5
    """Of them, the share that is tried in words of the table."""
    full: int = 8
    """Phrases that a prompt is filled up to by any number of them: people's prompts are as full with small tables."""


PLAIN = Wording(others=EVERYDAY)


def draw_prompt(
    table: ConceptTable, rng: np.random.Generator, *, wording: Wording = PLAIN, mention: float = 0.75,
    held_out: Collection[Pair] = (), require: Sequence[int] = (), used: list[int] | None = None,
) -> Prompt:  # fmt: skip
    """Draw one prompt.

    Args:
        table: the concepts; in each category at most one is written.
        rng: source of every choice.
        wording: what stands around the phrases.
        mention: chance that a category without a required concept is written at all; of many categories lower, so that
            no more than ``MENTIONED`` are on average.
        held_out: pairs that must not stand together.
        require: concepts that must be written; one of a category at most.
        used: how often each phrase was written so far; rare concepts and phrases are then preferred, and the counts
            brought up to date, so that few prompts cover the whole table.
    """
    heed()
    support = _draw_support(table, rng, mention, held_out, require, used)
    chosen = [_rarest(_phrases_of(table, concept), rng, used) for concept in support]
    if used is not None:
        for phrase in chosen:
            used[phrase] += 1
    return _write(table, chosen, rng, wording)


def rewrite(table: ConceptTable, prompt: Prompt, old: int, new: int) -> Prompt:
    """Replace one concept by another's first phrase, every other word as it was; punctuation stays.

    Raises:
        ValueError: if the prompt does not say ``old``.
    """
    return replace_mention(table, prompt, _mention_of(table, prompt, old), table.first_phrase[new])


def replace_mention(table: ConceptTable, prompt: Prompt, at: int, phrase: int) -> Prompt:
    """Write a phrase in the place of a mention, every other word as it was; punctuation stays."""
    mention = prompt.mentions[at]
    written = list(table.phrases[phrase].words)
    last = prompt.words[mention.stop - 1]
    written[-1] += last[len(trim(last)) :]
    return _splice(prompt, at, replace(mention, phrase=phrase, stop=mention.start + len(written)), written)


def append(table: ConceptTable, prompt: Prompt, new: int) -> Prompt:
    """Write the first phrase of ``new`` behind the prompt, after a comma that takes the place of a full stop."""
    return write_behind(table, prompt, table.first_phrase[new])


def write_behind(table: ConceptTable, prompt: Prompt, phrase: int) -> Prompt:
    """Write a phrase behind the prompt, after a comma that takes the place of a full stop."""
    words = [*prompt.words[:-1], *map(trim, prompt.words[-1:])]
    _join(words, ",")
    start = len(words)
    words.extend(table.phrases[phrase].words)
    return Prompt(tuple(words), (*prompt.mentions, Mention(phrase, start, len(words))))


def opened(prompt: Prompt, word: str) -> Prompt:
    """Return a prompt with a word before it."""
    mentions = tuple(replace(one, start=one.start + 1, stop=one.stop + 1) for one in prompt.mentions)
    return Prompt((word, *prompt.words), mentions)


def delete(table: ConceptTable, prompt: Prompt, old: int) -> Prompt:
    """Delete the words of ``old``; joiners around them stay, as a person who deletes words leaves them.

    Raises:
        ValueError: if the prompt does not say ``old``.
    """
    return delete_mention(prompt, _mention_of(table, prompt, old))


def delete_mention(prompt: Prompt, at: int) -> Prompt:
    """Delete the words of a mention; joiners around them stay."""
    return _splice(prompt, at, None, [])


def other_words(prompt: Prompt) -> tuple[str, ...]:
    """Return the words of a prompt that stand in no mention."""
    taken = set(itertools.chain.from_iterable(range(one.start, one.stop) for one in prompt.mentions))
    return tuple(word for at, word in enumerate(prompt.words) if at not in taken)


def length(text: str) -> int:
    """Count the words and punctuation marks of a text."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def hold_out_pairs(table: ConceptTable, share: float, seed: int) -> frozenset[Pair]:
    """Choose a share of all pairs of concepts of different categories, the same for the same seed."""
    pairs = [
        frozenset(pair)
        for pair in itertools.combinations(range(len(table)), 2)
        if table.category_of[pair[0]] != table.category_of[pair[1]]
    ]
    chosen = np.random.default_rng(seed).permutation(len(pairs))[: round(share * len(pairs))]
    return frozenset(pairs[index] for index in chosen)


def has_pair(support: Collection[int], held_out: Collection[Pair]) -> bool:
    """Tell whether two concepts of the support are a held-out pair."""
    return any(frozenset(pair) in held_out for pair in itertools.combinations(support, 2))


def _mention_of(table: ConceptTable, prompt: Prompt, concept: int) -> int:
    for index, mention in enumerate(prompt.mentions):
        if table.phrases[mention.phrase].concept == concept:
            return index
    raise ValueError(f"The prompt {prompt.text!r} does not say {str(table.concepts[concept])!r}.")


def _phrases_of(table: ConceptTable, concept: int) -> list[int]:
    first = table.first_phrase[concept]
    return list(range(first, first + len(table.concepts[concept].phrases)))


def mention_rate(table: ConceptTable, wanted: float) -> float:
    """Return the chance that a category is mentioned: as wanted, or lower where there are many."""
    return min(wanted, MENTIONED / len(table.categories))


def _rarest(choices: Sequence[int], rng: np.random.Generator, used: Mapping[int, int] | Sequence[int] | None) -> int:
    """Choose one at random, among the least used if that is known."""
    if used is None:
        return int(rng.choice(choices))
    least = min(used[choice] for choice in choices)
    return int(rng.choice([choice for choice in choices if used[choice] == least]))


def _draw_support(
    table: ConceptTable, rng: np.random.Generator, mention: float, held_out: Collection[Pair], require: Sequence[int],
    used: Sequence[int] | None,
) -> list[int]:  # fmt: skip
    taken = {table.category_of[concept] for concept in require}
    groups = [members for index, members in enumerate(table.categories.values()) if index not in taken]
    support, mention = list(require), mention_rate(table, mention)
    for number in rng.permutation(len(groups)):
        if rng.random() < mention:
            legal = [one for one in groups[number] if not any({one, other} in held_out for other in support)]
            weights = None if used is None else {one: min(used[i] for i in _phrases_of(table, one)) for one in legal}
            support += [_rarest(legal, rng, weights)] if legal else []
    return [support[i] for i in rng.permutation(len(support))]


def _may_join(concept: int, support: Sequence[int], held_out: Collection[Pair]) -> bool:
    return not any(frozenset((concept, other)) in held_out for other in support)


def _least_used(table: ConceptTable, concept: int, used: Sequence[int]) -> int:
    return min(used[phrase] for phrase in _phrases_of(table, concept))


def _write(table: ConceptTable, phrases: Sequence[int], rng: np.random.Generator, wording: Wording) -> Prompt:
    tags = rng.random() < 0.3
    words = str(rng.choice(wording.openers)).split() if not tags or rng.random() < 0.5 else []
    mentions: list[Mention] = []
    for position, phrase in enumerate(_among_others(table, phrases, rng, wording)):
        if position:
            _join(words, "," if tags else str(rng.choice(wording.joiners)))
        if not isinstance(phrase, str) and wording.leads and rng.random() < wording.lead_rate:
            words.extend(str(rng.choice(wording.leads)).split())
        start = len(words)
        words.extend(phrase.split() if isinstance(phrase, str) else table.phrases[phrase].words)
        if not isinstance(phrase, str):
            mentions.append(Mention(phrase, start, len(words)))
        if rng.random() < wording.filler_rate:
            _join(words, f", {rng.choice(wording.fillers)}")
    if words and not tags and rng.random() < 0.2:
        words[-1] += "."
    return Prompt(tuple(words), tuple(mentions))


def _among_others(
    table: ConceptTable, phrases: Sequence[int], rng: np.random.Generator, wording: Wording
) -> list[int | str]:
    """Return a table's phrases in order and, before, between and behind them, some about other things."""
    made: list[int | str] = list(phrases)
    if apart(table, wording.others):
        for _ in range(int(rng.integers(max(wording.full - len(phrases), 1) + 1))):
            other = draw_foreign(table, wording.others, rng, wording.shared)
            made.insert(int(rng.integers(len(made) + 1)), other)
    return made


def _join(words: list[str], joiner: str) -> None:
    if joiner.startswith(",") and words:
        words[-1] = words[-1].rstrip(",") + ","
        joiner = joiner[1:]
    words.extend(joiner.lstrip(",").split())


def _splice(prompt: Prompt, at: int, mention: Mention | None, written: Sequence[str]) -> Prompt:
    old = prompt.mentions[at]
    shift = len(written) - (old.stop - old.start)
    words = (*prompt.words[: old.start], *written, *prompt.words[old.stop :])
    later = [replace(m, start=m.start + shift, stop=m.stop + shift) for m in prompt.mentions[at + 1 :]]
    kept = [mention] if mention else []
    return Prompt(words, (*prompt.mentions[:at], *kept, *later))
