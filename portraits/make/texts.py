"""What the text encoders learn from: captions far richer than a concept table, of one person or of two side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...supsae_core.table import prompts
from ...supsae_core.table.foreign import EVERYDAY
from ...supsae_core.table.prompts import Prompt, Wording
from .. import scene
from ..captions import PAIR, SIDES, SOMEONE, full_table

Person = Mapping[str, str]
"""category → value"""

RICH = Wording(
    openers=(
        "a portrait of a person with", "a cartoon person with", "portrait,", "a drawing of someone with", "",
        "an illustration of a person,", "picture of a character with", "please draw a person with", "sticker,",
        "somebody with", "this is a person who has", "a comic of a man with", "a woman with", "one person,",
        "make me a picture of a girl with", "a boy with", "imagine someone who has", "my friend with", "avatar,",
        "the face of a person with", "a happy sketch of someone with", "a simple picture that shows a person with",
    ),
    joiners=(",", ",", ",", "and", "with", ", and", ", also", ", plus", "and also", ", then", ";", "as well as"),
    fillers=(
        "highly detailed", "soft light", "flat colours", "in the centre", "looking at the viewer", "cute",
        "best quality", "clean lines", "as a sticker", "simple shapes", "bright colours", "white border",
        "for a children book", "close to the camera", "very sharp", "thick outlines", "a friendly style",
        "masterpiece", "no text", "vector art", "on a nice day", "drawn by hand", "in good mood", "seen from the front",
    ),
    leads=(
        "a", "the", "his", "her", "their", "some", "one", "wearing", "wearing a", "wears", "in", "in a", "in front of",
        "in front of a", "at", "at the", "on the", "on a", "has", "has a", "who has", "having", "with a", "this",
    ),
    lead_rate=0.3,
    others=EVERYDAY,
    full=7,
)  # fmt: skip

NOUNS = {"hair": ("hair", "it is"), "eyes": ("eyes", "they are")}
"""Category → the noun that a caption opens with, and the pronoun that comes back to it at the end."""
ECHOES = ("again", "once more", "that is", "in other words", "yes")
TOGETHER = (("snow", "beanie"), ("beach", "stripes"), ("crown", "dress"), ("suit", "top hat"), ("city", "suit"))
"""Values that often come together, as in the world's pictures; the second follows the first."""


class Caption(NamedTuple):
    """A text, and everything about the scene that it describes, said or not."""

    text: str
    people: tuple[Person, ...]
    """one, or the left one and the right one"""


def draw_person(rng: np.random.Generator) -> dict[str, str]:
    """Draw factors that are not independent: some values bring others along."""
    person = scene.sample_factors(rng)
    for first, second in TOGETHER:
        if first in person.values() and rng.random() < 0.4:
            person[_category_of(second)] = second
    return person


def draw_caption(rng: np.random.Generator, fits: Callable[[str], bool]) -> Caption:
    """Draw a scene and a caption of it that ``fits``."""
    people = tuple(draw_person(rng) for _ in range(1 + (rng.random() < 0.2)))
    if len(people) == 2:
        people[1]["background"] = people[0]["background"]
    if rng.random() < 0.05:
        return Caption(_short(people, rng), people)
    return Caption(fitting(people, rng, fits), people)


def fitting(people: Sequence[Person], rng: np.random.Generator, fits: Callable[[str], bool]) -> str:
    """Draw captions of one or two people until one ``fits``."""
    describe = (_describe_one, _describe_two)[len(people) - 1]
    while not fits(text := describe(people, rng)):
        pass
    return text


def _describe_one(people: Sequence[Person], rng: np.random.Generator) -> str:
    """Word a part of what one person looks like, among other things, mentioned twice or from afar at times."""
    (person,) = people
    share = rng.uniform(0.2, 1.0)
    said = [full_table().index(f"{category}: {value}") for category, value in person.items() if rng.random() < share]
    far = next((one for one in NOUNS if _number(person, one) in said), None) if rng.random() < 0.12 else None
    if far:
        said.remove(_number(person, far))
    plain, bare = rng.random(2) < (0.5, 0.3)
    wording = replace(RICH, others=() if plain else RICH.others, lead_rate=0.0 if bare else RICH.lead_rate)
    prompt = prompts.draw_prompt(full_table(), rng, wording=wording, mention=0.0, require=said)
    text = _twice(prompt, rng) if rng.random() < 0.25 else prompt.text
    if rng.random() < 0.2:
        text = _with_spelled(text, rng)
    return f"{NOUNS[far][0]}, {text}, {NOUNS[far][1]} {person[far]}" if far else text


def _with_spelled(text: str, rng: np.random.Generator) -> str:
    """Put a word or two anywhere that nobody knows, so that words spelled letter by letter are met too."""
    words = text.split()
    for _ in range(int(rng.integers(1, 3))):
        letters = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), int(rng.integers(3, 8)))
        words.insert(int(rng.integers(len(words) + 1)), "".join(letters))
    return " ".join(words)


def _twice(prompt: Prompt, rng: np.random.Generator) -> str:
    """Say one of the concepts again, in other words where it has any."""
    if not prompt.mentions:
        return prompt.text
    table, mention = full_table(), prompt.mentions[int(rng.integers(len(prompt.mentions)))]
    concept = table.concepts[table.phrases[mention.phrase].concept]
    return f"{prompt.text.rstrip('.,')}, {rng.choice(ECHOES)} {rng.choice(concept.phrases)}"


def _describe_two(people: Sequence[Person], rng: np.random.Generator) -> str:
    """Word a part of what two people look like, each on their own side, in either order."""
    sides = SIDES[int(rng.integers(len(SIDES)))]
    parts = [
        f"{side.format(rng.choice(SOMEONE))} {_list(person, rng)}" for side, person in zip(sides, people, strict=True)
    ]
    if rng.random() < 0.3:
        parts.reverse()
    text = f"{rng.choice(PAIR)} {rng.choice((', ', ' and ', '; ')).join(parts)}".strip()
    return f"{text}, {_word(people[0], 'background', rng)}" if rng.random() < 0.4 else text


def _list(person: Person, rng: np.random.Generator) -> str:
    own = [category for category in person if category != "background"]
    chosen = rng.choice(own, int(rng.integers(1, 4)), replace=False)
    return str(rng.choice((", ", " and "))).join(_word(person, str(one), rng) for one in chosen)


def _short(people: Sequence[Person], rng: np.random.Generator) -> str:
    return "" if rng.random() < 0.2 else _word(people[0], str(rng.choice(list(people[0]))), rng)


def _word(person: Person, category: str, rng: np.random.Generator) -> str:
    lead = f"{rng.choice(RICH.leads)} " if rng.random() < RICH.lead_rate else ""
    return f"{lead}{rng.choice(full_table().concepts[_number(person, category)].phrases)}"


def _number(person: Person, category: str) -> int:
    return full_table().index(f"{category}: {person[category]}")


def _category_of(value: str) -> str:
    return next(category for category, values in scene.FACTORS.items() if value in values)


def words() -> str:
    """Return every word that captions may use, with repetitions."""
    said = [*RICH.openers, *RICH.joiners, *RICH.fillers, *RICH.leads, *RICH.others, *ECHOES, *PAIR, *SOMEONE]
    said += [side for pair in SIDES for side in pair]
    return " ".join([*said, *(word for pair in NOUNS.values() for word in pair), *full_table().words])
