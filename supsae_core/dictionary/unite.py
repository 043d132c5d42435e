"""Several dictionaries of the same text encoders as one: one table, and the members that read and edit.

docs/method.md, 21. Each concept belongs to the first member that knows it, which reads it, makes its changes and wrote
its numbers. What the whole has itself, its table, parts and streams, follows from the members; a file holds these and
how the whole spells their concepts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..encoders.streams import parse_part
from ..table.concepts import Concept, ConceptTable, normal
from ..words import folded
from .joint import joint_codes, joint_part
from .model import POOLED, Dictionary, Member
from .slider_map import SliderMap

AGAIN = "-2"
"""Behind words that a concept of another member says already; it only tells the two apart."""


def as_said(text: str) -> str:
    """Return the words of a phrase of a combined dictionary as prompts have them."""
    while text.endswith(AGAIN):
        text = text.removesuffix(AGAIN)
    return text


class Spelled(NamedTuple):
    """A dictionary, and how a whole is to spell its concepts."""

    dictionary: Dictionary
    names: tuple[str | None, ...]
    """own concept → the whole's, None to leave it out"""


class _Said(NamedTuple):
    """A concept of the whole as one member has it."""

    member: int
    concept: int


def unite(some: Sequence[Spelled]) -> Dictionary:
    """Return the whole of dictionaries of one family, the leading one first; report and provenance are the leader's.

    Raises:
        TableError: if the names make no table.
    """
    table, members = _table(some)
    lead, family = members[0].dictionary, members[0].dictionary.family
    whole = replace(lead, table=table, operators={}, streams={}, centres=(), members=members)
    parts = {name: joint_part(name, whole) for name in lead.parts}
    identified = tuple(_identified(table, members))
    sliders = {
        str(table.concepts[concept]): found
        for concept in range(len(table))
        if (found := _slider(whole, concept)) is not None
    }
    # the narrowest: beyond it one of them is not calibrated
    slider = min((one.dictionary.slider for one in members), key=lambda knots: knots[-1][0])
    whole = replace(whole, parts=parts, identified=identified, sliders=sliders, slider=slider)
    shared = shared_streams([one.dictionary for one in members])
    streams = {
        name: tuple(joint_codes(name, whole, level, parse_part(name)[1]) for level in range(len(lead.centres)))
        for name in shared
    }
    assert family.encoders and POOLED not in streams
    return replace(whole, streams=streams, centres=lead.centres if streams else ())


def needed(some: Sequence[Spelled]) -> list[Spelled]:
    """Return those of some dictionaries, the leading one first, that bring the whole a concept or words."""
    kept, known, words = list[Spelled](), set[str](), set[tuple[str, str]]()
    for one in some:
        names = {normal(name) for name in one.names if name is not None}
        own = ((one.names[phrase.concept], folded(phrase.text).casefold()) for phrase in one.dictionary.table.phrases)
        says = {(normal(name), text) for name, text in own if name is not None}
        if names - known or says - words:
            kept.append(one)
        known, words = known | names, words | says
    return kept


def shared_streams(some: Sequence[Dictionary]) -> list[str]:
    """Return the parts inside the model that all dictionaries have, at the same noise levels."""
    first, *others = some
    alike = all(one.centres == first.centres for one in others)
    return [name for name in first.streams if alike and all(name in one.streams for one in others)]


def spelled(dictionary: Dictionary) -> list[Spelled]:
    """Return the members of a dictionary with the names that it gives them; of a plain one itself."""
    own = tuple(map(str, dictionary.table.concepts))
    if not dictionary.members:
        return [Spelled(dictionary, own)]
    return [
        Spelled(one.dictionary, tuple(None if whole < 0 else own[whole] for whole in one.concepts))
        for one in dictionary.members
    ]


def _slider(whole: Dictionary, concept: int) -> SliderMap | None:
    owner = whole.owner(concept)
    return owner.dictionary.slider_map(owner.own_concept[concept])


def _identified(table: ConceptTable, members: Sequence[Member]) -> Iterator[bool]:
    """Yield, per category, whether all of its concepts can be added and removed."""
    for concepts in table.categories.values():
        known = []
        for one in members:
            own = [one.own_concept[concept] for concept in concepts if concept in one.own_concept]
            known += [one.dictionary.identified[one.dictionary.table.category_of[own[0]]]] if own else []
        yield all(known)


def _table(some: Sequence[Spelled]) -> tuple[ConceptTable, tuple[Member, ...]]:
    """Return the table of all, and who has what of it."""
    names, said = _collected(some)
    texts = dict[str, tuple[str, str]]()  # words, folded → concept that says them, and how they are spelled
    phrases: dict[str, list[str]] = {name: [] for name in said}
    mapped: list[dict[int, str]] = [{} for _ in some]  # member → own phrase → words, folded
    for first in (True, False):  # owners first, so that nobody takes their words
        for name, found in said.items():
            for one in found[:1] if first else found[1:]:
                _add_phrases(some[one.member].dictionary.table, one, name, first, (texts, phrases[name], mapped))
    table = ConceptTable(tuple(Concept(*names[name], tuple(phrases[name])) for name in said))
    numbers = {str(concept): index for index, concept in enumerate(table.concepts)}
    slots = {folded(phrase.text).casefold(): slot for slot, phrase in enumerate(table.phrases)}
    concepts = {name: numbers[": ".join(names[name])] for name in said}
    members = []
    for (dictionary, own), known in zip(some, mapped, strict=True):
        numbered = tuple(-1 if name is None else concepts[normal(name)] for name in own)
        places = tuple(_slot(dictionary, slot, known, slots, table) for slot in range(len(dictionary.table.phrases)))
        members.append(Member(dictionary, numbered, places))
    return table, tuple(members)


def _collected(some: Sequence[Spelled]) -> tuple[dict[str, tuple[str, str]], dict[str, list[_Said]]]:
    """Return folded name → (category, name), and folded name → who has it, category by category."""
    categories, names = dict[str, tuple[str, dict[str, list[_Said]]]](), dict[str, tuple[str, str]]()
    for member, (_, own) in enumerate(some):
        for concept, name in enumerate(own):
            if name is not None:
                category, _, value = name.partition(": ")
                shown, held = categories.setdefault(normal(category), (category, {}))
                names.setdefault(normal(name), (shown, value))
                held.setdefault(normal(name), []).append(_Said(member, concept))
    return names, {name: found for _, held in categories.values() for name, found in held.items()}


def _add_phrases(table: ConceptTable, one: _Said, name: str, owner: bool, into: tuple) -> None:
    """Take the words of a concept into the whole: an owner's all, another's where nobody has them."""
    texts, own, mapped = into
    for slot, phrase in enumerate(table.phrases):
        if phrase.concept != one.concept:
            continue
        text, key = phrase.text, folded(phrase.text).casefold()
        while owner and key in texts:
            text += AGAIN
            key = folded(text).casefold()
        if key not in texts:
            texts[key] = (name, text)
            own.append(text)
        if texts[key][0] == name:
            mapped[one.member][slot] = key


def _slot(
    dictionary: Dictionary, slot: int, known: Mapping[int, str], slots: Mapping[str, int], table: ConceptTable
) -> int:
    """Return the whole's phrase for an own one: its own, or one of the same words and category; −1 if there is none."""
    phrase = dictionary.table.phrases[slot]
    if slot in known:
        return slots[known[slot]]
    found = slots.get(folded(phrase.text).casefold(), -1)
    category = normal(dictionary.table.concepts[phrase.concept].category)
    alike = found >= 0 and normal(table.concepts[table.phrases[found].concept].category) == category
    return found if alike else -1
