"""The table of photographs that real text encoders are judged on, and how prompts about them are worded."""

from dataclasses import replace
from pathlib import Path

from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.foreign import SMALL
from ...supsae_core.table.parsing import load_table
from ...supsae_core.table.prompts import Wording

TABLE = Path(__file__).with_name("photographs.yaml")
WORDING = Wording(
    openers=(
        "a picture with", "a photo of", "an image that shows", "a scene with", "somebody with", "we see", "please make",
        "this shows", "a view of", "imagine", "",
    ),
    joiners=(",", ",", "and", "with", ", also", ", then", "together with", "as well as"),
    fillers=(
        "highly detailed", "sharp focus", "in the middle", "seen from afar", "very beautiful", "wide angle",
        "for a magazine", "best quality", "on the left", "taken yesterday",
    ),
    filler_rate=0.25,
    others=(
        "an open window", "his grandmother", "a bicycle", "two teacups", "an empty chair", "an old map",
        "some boats", "a brick wall", "some flowers", "a broken clock", "her younger brother", "a pile of books",
    ),
)  # fmt: skip
"""Free wording: what captures and cases are drawn in."""
DISTRACTORS = (
    "a golden frame", "a small white table", "a glass of red wine", "black ink", "grey walls", "a long road",
    "blue bottles", "a silver spoon", "the city hall", "a sea of people", "film music", "a fish market", "a dog collar",
    "hair spray", "an oil lamp", "a studio flat", "the moon landing", "a street sign", "a bird cage", "soft pillows",
)  # fmt: skip
"""Things that are none of the table's, in words of the table."""

SYNONYMS = {
    "weather: rainy": "a steady drizzle", "weather: snowy": "a blizzard", "weather: foggy": "dense haze",
    "weather: stormy": "a fierce tempest", "weather: windy": "a stiff breeze", "place: beach": "along the shore",
    "place: forest": "deep in the woods", "place: city": "downtown", "place: mountains": "high in the alps",
    "animal: dog": "a spaniel", "animal: cat": "a tabby", "animal: horse": "a pony", "animal: bird": "a robin",
    "animal: fish": "a trout", "hair: red": "auburn locks", "hair: blond": "flaxen tresses",
    "clothing: coat": "a warm parka", "clothing: suit": "formal business attire", "clothing: armour": "chain mail",
    "light: candle": "the glow of a lantern", "style: pencil": "charcoal strokes", "style: cartoon": "manga",
    "mood: happy": "full of delight", "mood: sad": "melancholy", "mood: calm": "serene",
}  # fmt: skip
"""Concept → words for it that the table lacks."""


def table() -> ConceptTable:
    """Read the table."""
    return load_table(TABLE)


def among_distractors(concepts: ConceptTable, wording: Wording) -> Wording:
    """Return a wording with fillers that share words with a table and say none of its phrases, if there are such."""
    words, phrases = concepts.words - SMALL, [f" {phrase.text} ".casefold() for phrase in concepts.phrases]
    own = tuple(
        one
        for one in DISTRACTORS
        if not words.isdisjoint(one.split()) and not any(phrase in f" {one} " for phrase in phrases)
    )
    return replace(wording, fillers=own, filler_rate=0.5) if own else wording
