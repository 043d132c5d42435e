"""Offers for edits whose category is not found: asked for before an edit adds, and taken only when told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..dictionary.model import Dictionary
from ..reading.known_text import KnownText
from ..reading.offer import GUESS, Offer, accepted, offer
from ..reading.readout import Reading
from ..reading.spelled import with_hidden, with_weights
from .change import Change, Edit
from .edits import EDITS, AnyEdit, aim, edit_name
from .standing import category_of


def offers(
    dictionary: Dictionary, cond: Tensor, reading: Reading, edits: Sequence[AnyEdit], text: KnownText | None = None,
    at: str = "",
) -> dict[str, Offer]:  # fmt: skip
    """Return the concepts of edits that replace and find nothing to replace, each with an offer where there is one.

    Args:
        dictionary: of the concepts.
        cond: (L, width), unedited.
        reading: what it says.
        edits: that are wanted.
        text: its words, if they are known.
        at: words of the text that the one edit is to change.

    Raises:
        ValueError: if ``at`` is given and it is not exactly one edit that finds nothing.
    """
    said, found = set(reading.concepts(dictionary)), dict[str, Offer]()
    unfound = [one for one in edits if isinstance(one, Edit) and EDITS[type(one)].replaces]
    unfound = [one for one in unfound if said.isdisjoint(aim(dictionary.table, one).members)]
    if at and len(unfound) != 1:
        names = ", ".join(repr(edit_name(one)) for one in unfound) or "none"
        raise ValueError(
            f"The words {at!r} say where one swap goes whose category is not found in the prompt; such swaps here: "
            f"{names}. Give one such swap."
        )
    for edit in unfound:
        made = offer(dictionary, cond, reading, aim(dictionary.table, edit).category, text, at)
        if made is not None:
            found[edit.concept] = made
    return found


def take(dictionary: Dictionary, reading: Reading, some: Mapping[str, Offer]) -> Reading:
    """Return the reading with offers, by the concept that is wanted there, as mentions."""
    for concept, one in some.items():
        reading = accepted(dictionary, reading, one, dictionary.table.index(concept))
    return reading


def taught(
    dictionary: Dictionary, cond: Tensor, reading: Reading, told: Mapping[str, str], wanted: Mapping[str, int],
    text: KnownText | None,
) -> tuple[Reading, list[str]]:  # fmt: skip
    """Return the reading with words that a person says to speak of categories, and a line on those that are not there.

    Args:
        cond: (L, width), unedited.
        told: category → words of the text; one that is read already stays as it is.
        wanted: category → the concept that is to be said there, which the words are then not taken for.
        text: the words, if they are known; another text than the one of the rows is not.
    """
    lead = dictionary.family.encoder(reading.lead)
    if text is not None and text.ends_in(lead, reading.rows) not in reading.layouts[lead.name].roles.closing:
        text = None
    if text is not None:
        reading = with_weights(dictionary, with_hidden(dictionary, reading, text), text)
    said, lines = {dictionary.table.concepts[one].category for one in reading.concepts(dictionary)}, []
    for name, words in told.items():
        category = dictionary.table.concepts[dictionary.table.category(name)[0]].category
        if category in said:
            continue
        try:
            made = offer(dictionary, cond, reading, category, text, words)
        except ValueError as error:
            lines.append(f"{category}: {error}")
            continue
        if made is not None:
            reading = accepted(dictionary, reading, made, wanted.get(name))
    return reading, lines


def beside(dictionary: Dictionary, cond: Tensor, reading: Reading, changes: Sequence[Change]) -> list[str]:
    """Return a line on every change that adds a concept although words there may speak of its category already."""
    lines = []
    for change in changes:
        if change.old is None and change.alpha > 0:
            made = offer(dictionary, cond, reading, category_of(dictionary, change))
            if made is not None and made.how != GUESS:
                assert change.new is not None
                lines.append(f"{dictionary.table.concepts[change.new]} was added, but {tell_offer(dictionary, made)}")
    return lines


def tell_offer(dictionary: Dictionary, one: Offer) -> str:
    """Say which words may speak of a category."""
    lead = [encoder.name for encoder in dictionary.family.encoders if encoder.name in one.rows][-1]
    rows, nearest = one.rows[lead], dictionary.table.phrases[one.nearest(dictionary)].text
    where = repr(one.words) if one.words else f"rows {rows[0]} to {rows[-1]} ({lead})"
    return f"{where} may speak of {one.category} ({one.how}; nearest is {nearest!r})"
