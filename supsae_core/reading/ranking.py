"""How much a conditioning speaks of a concept: one score for every text, whether it says the concept or not."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..dictionary.model import Dictionary
from .looks import Look, look
from .members import narrowed
from .readout import Reading, read_conditioning
from .scene import Scene


class Score(NamedTuple):
    """What a text scores for a concept."""

    said: bool
    """whether it is read there, as edits read it"""
    score: float
    """log-likelihood ratio per code of its best place, −inf where no place has room for it"""
    instead: tuple[str, ...]
    """other concepts of its category that are said"""

    @property
    def order(self) -> tuple[bool, float]:
        """Greater for what speaks of it more: what says it comes before what does not."""
        return self.said, self.score


def score(dictionary: Dictionary, cond: Tensor, concept: int) -> Score:
    """Score one conditioning (L, width) for a concept.

    Raises:
        ValueError: if the rows cannot be read (see ``read_conditioning``).
    """
    reading, table = read_conditioning(dictionary, cond), dictionary.table
    own = [one.score for one in reading.found if table.phrases[one.phrase].concept == concept]
    members = table.categories[table.concepts[concept].category]
    others = (one for one in reading.concepts(dictionary) if one in members and one != concept)
    instead = tuple(str(table.concepts[one]) for one in dict.fromkeys(others))
    return Score(bool(own), max(own) if own else _best(dictionary, cond, reading, concept), instead)


def _best(dictionary: Dictionary, cond: Tensor, reading: Reading, concept: int) -> float:
    """Return the score of the place that is most like a concept's phrases, in the encoder that leads."""
    if dictionary.members:
        owner = dictionary.owner(concept)
        return _best(owner.dictionary, cond, narrowed(dictionary, owner, reading), owner.own_concept[concept])
    encoder = dictionary.family.encoder(reading.lead)
    cuts = dictionary.parts[encoder.name].cuts
    places = look(Scene(dictionary, encoder, cond, reading.rows), Look(cuts.first, cuts.trust, cuts.weakest))
    phrases = [slot for slot, one in enumerate(dictionary.table.phrases) if one.concept == concept]
    found = places.table[phrases]
    return float(found.max()) if found.numel() else float("-inf")
