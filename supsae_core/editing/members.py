"""Changes of a combined dictionary, each made by the member whose concept it is (docs/method.md, 21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..dictionary.model import Dictionary, Member
from ..encoders.base import Encoder
from ..reading.members import narrowed, stand_in
from ..reading.reading import Reading
from .change import Change
from .room import Inserted, WrittenRows, room_for


class Share(NamedTuple):
    """What one member does."""

    dictionary: Dictionary
    """the member's, none that was combined"""
    member: Member | None
    """None where the whole is a dictionary of its own"""
    reading: Reading
    """as the member has it"""
    changes: Sequence[Change]
    """in its numbers"""
    given: Sequence[Change]
    """the same in those of the whole"""

    def inserted(self, inserted: Inserted | None) -> dict[str, tuple[WrittenRows, ...]]:
        """Return rows of changes of the whole as those of the member's changes."""
        if self.member is None:
            return {segment: tuple(some) for segment, some in (inserted or {}).items()}
        own = {id(whole): change for whole, change in zip(self.given, self.changes, strict=True)}
        return {
            segment: tuple(WrittenRows(own[id(one.change)], one.rows) for one in some if id(one.change) in own)
            for segment, some in (inserted or {}).items()
        }


def shares(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> list[Share]:
    """Divide changes among the members, the leading one first; who changes nothing has no share.

    A dictionary that was not combined makes all of them.
    """
    if not dictionary.members:
        return [Share(dictionary, None, reading, found, found)] if found else []
    divided: list[list[Change]] = [[] for _ in dictionary.members]
    for change in found:
        divided[dictionary.members.index(_maker(dictionary, change))].append(change)
    pairs = zip(dictionary.members, divided, strict=True)
    return [_share(dictionary, member, reading, given) for member, given in pairs if given]


def standing_in(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> dict[int, int]:
    """Return id of a change → concept that stands in for its old one, which the member that makes it lacks.

    The concept is numbered as by the whole, or −1 where only the member has it.
    """
    made, phrases = dict[int, int](), dictionary.table.phrases
    for one in shares(dictionary, reading, found):
        if one.member is None:
            continue
        lacking = {phrases[own.phrase].concept for own in reading.found if own.phrase not in one.member.own_phrase}
        for whole, change in zip(one.given, one.changes, strict=True):
            if whole.old in lacking and change.old is not None:
                made[id(whole)] = one.member.concepts[change.old]
    return made


def rows_for_new(
    dictionary: Dictionary, encoder: Encoder, reading: Reading, found: Sequence[Change], inserted: Inserted | None
) -> Inserted:
    """Return the rows that take new tokens in an encoder; of a combined dictionary the pads as well.

    There they are given out to all changes together, so that no two members write on the same ones.
    """
    if not dictionary.members:
        return inserted or {}
    room = room_for(reading.coded(dictionary, encoder), reading.layouts[encoder.name], found, inserted)
    return {encoder.segment: room.written}


def _maker(dictionary: Dictionary, change: Change) -> Member:
    """Return who makes a change: whose word is written, else whose is taken away."""
    concept = change.old if change.new is None else change.new
    assert concept is not None
    return dictionary.owner(concept)


def _share(dictionary: Dictionary, member: Member, reading: Reading, given: list[Change]) -> Share:
    more, phrases = _stand_ins(dictionary, member, reading, given), dictionary.table.phrases
    own, known = narrowed(dictionary, member, reading, more), {**more, **member.own_phrase}
    said = {phrases[one.phrase].concept: known[one.phrase] for one in reading.found if one.phrase in known}

    def old(concept: int | None) -> int | None:
        """The concept that the member has where the whole has one to be replaced."""
        if concept is None or concept not in said:
            return None if concept is None else member.own_concept[concept]
        return member.dictionary.table.phrases[said[concept]].concept

    changes = []
    for one in given:
        new = None if one.new is None else member.own_concept[one.new]
        changes.append(one._replace(old=old(one.old), new=new, off=kept_of(member, one)))
    return Share(member.dictionary, member, own, changes, given)


def _stand_ins(dictionary: Dictionary, member: Member, reading: Reading, given: Sequence[Change]) -> Mapping[int, int]:
    """Return what stands for phrases that the member lacks and is to replace: another of its category, not said."""
    phrases, concepts = dictionary.table.phrases, member.dictionary.table.phrases
    wanted = [member.own_concept[one.new] for one in given if one.new is not None]
    found = [one.phrase for one in reading.found]
    taken = [concepts[member.own_phrase[phrase]].concept for phrase in found if phrase in member.own_phrase]
    more = dict[int, int]()
    olds = {one.old for one in given}
    for phrase in dict.fromkeys(found):
        if phrase not in member.own_phrase and phrases[phrase].concept in olds:
            more[phrase] = stand_in(dictionary, member, phrase, [*wanted, *taken])
    return more


def kept_of(member: Member, change: Change) -> tuple[tuple[int, ...], ...]:
    """Return what a change is to keep of a member's categories, in its numbers."""
    own = (tuple(member.own_concept[one] for one in kept if one in member.own_concept) for kept in change.off)
    return tuple(kept for kept in own if kept)
