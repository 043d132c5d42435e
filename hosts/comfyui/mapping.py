"""Where a concept lives in a picture, found out while the picture is sampled, which stays as it would be without.

``METHODS`` have one signature: (wanted, call, heard) → the result of the call of the model; what they find out goes
into ``heard``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import Edit, Scale, Swap
from ...supsae_core.editing.windows import Window
from ...supsae_core.reading.concept_map import enlarged, normalised
from . import conditionings, placed, transformer
from .attention import Joint, listening, masses
from .conditionings import Conditioning, repeated
from .following import Call, followed, tagged
from .pictures import Drawing, Told, draw


class OtherStep(NamedTuple):
    """What to add to an entry."""

    cond: Tensor
    """(B, L, width)"""
    pooled: Tensor | None
    """(B, P), if there are any"""


class ConceptTag(NamedTuple):
    """What an entry that says the concept brings along."""

    rows: tuple[tuple[int, ...], ...]
    """per batch row, the rows of the concept's words, of all encoders"""
    length: int
    """rows of the entry"""
    others: tuple[OtherStep, ...]
    """what puts something else in the concept's place, in several ways"""


class Wanted(NamedTuple):
    """What to map, and how."""

    concept: str
    method: str
    """key of ``METHODS``"""
    blocks: tuple[int, ...]
    """to hear the attention of"""
    window: Window
    to_sigma: Callable[[float], float]


class Heard:
    """Maps heard so far, added up where the model is; made for one sampling."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self.count = 0

    def add(self, maps: Tensor) -> None:
        """Take maps (B, h, w)."""
        with transformer.long_lived():
            self._sum = maps.float().clone() if self._sum is None else self._sum + maps
        self.count += 1

    def mean(self) -> Tensor:
        """Return their mean, on the CPU.

        Raises:
            ValueError: if there is none.
        """
        if self._sum is None:
            raise ValueError("No step lies between start and end, so nothing was heard. Widen them.")
        return (self._sum / self.count).cpu()


class Mapped(NamedTuple):
    """What a Concept Map comes to."""

    pictures: Tensor
    """(B, H, W, 3)"""
    raw: Tensor
    """(B, h, w) as heard, see ``METHODS``"""
    mask: Tensor
    """(B, H, W) in 0 … 1"""


def concept_map(one: Drawing, dictionary: Dictionary, wanted: Wanted, told: Told | None = None) -> Mapped:
    """Draw the pictures and map a concept in them.

    Raises:
        ValueError: if the prompt does not say the concept of the whole picture.
    """
    heard = Heard()
    model = followed(one.model, partial(_hear, wanted, heard))
    positive = tagged(one.positive, tags(one.positive, dictionary, wanted.concept))
    pictures = draw(one._replace(model=model, positive=positive), told)
    raw = heard.mean()
    return Mapped(pictures, raw, enlarged(normalised(raw), pictures.shape[1], pictures.shape[2]))


def tags(conditioning: Conditioning, dictionary: Dictionary, concept: str) -> list[ConceptTag | None]:
    """Return a tag for every entry that says the concept of the whole picture, None for others.

    Raises:
        ValueError: if none does; names what the prompt says.
    """
    index = dictionary.table.index(concept)
    places = [placed.read(dictionary, entry, i) for i, entry in enumerate(conditioning)]
    says = [any(index in place.said for place in own) for own in places]
    if not any(says):
        said = dict.fromkeys(str(dictionary.table.concepts[i]) for own in places for place in own for i in place.said)
        raise ValueError(
            f"The prompt does not say {concept!r}, so there are no words of it to follow. It says: "
            f"{', '.join(said) or 'none of the concepts of this dictionary'}."
        )
    whole = [own and entry[1].get("area") is None for own, entry in zip(says, conditioning, strict=True)]
    if not any(whole):
        raise ValueError(
            f"The prompt says {concept!r} only for an area of the picture, and a map is of the whole. Map it before "
            "the prompt is given its area."
        )
    return [
        _tag(entry, dictionary, index, own) if here else None
        for entry, own, here in zip(conditioning, places, whole, strict=True)
    ]


def _tag(entry: list[Any], dictionary: Dictionary, index: int, places: Sequence[placed.Place]) -> ConceptTag:
    phrases, rows = dictionary.table.phrases, []
    for place in places:
        spans = chain.from_iterable(layout.spans for layout in place.reading.layouts.values())
        own = (span.rows for span in spans if phrases[span.phrase].concept == index)
        rows.append(tuple(chain.from_iterable(own)))
    return ConceptTag(tuple(rows), entry[0].shape[1], _others(entry, dictionary, index, places))


def _others(
    entry: list[Any], dictionary: Dictionary, index: int, places: Sequence[placed.Place]
) -> tuple[OtherStep, ...]:
    """Return what puts something else in a concept's place, and leaves all else said as it is.

    Swapped for each other value of its category, which finds the place best (Portraits: AUC 0.99, turned down to the
    category's mean 0.96); turned down if the prompt says such a value too, or leaves no room for a longer phrase.
    """
    table, said = dictionary.table, {one for place in places for one in place.said}
    others = [one for one in table.categories[table.concepts[index].category] if one != index]
    swaps = [Swap(str(table.concepts[one])) for one in others if dictionary.writes[one] is not None]
    mean = Scale(str(table.concepts[index]), 0.0)
    if swaps and not said & set(others):
        with contextlib.suppress(ValueError):  # no room in the rows there are
            return tuple(_step(entry, dictionary, one) for one in swaps)
    return (_step(entry, dictionary, mean),)


def _step(entry: list[Any], dictionary: Dictionary, edit: Edit) -> OtherStep:
    """Return what an edit adds to a conditioning.

    Raises:
        ValueError: if the edit has no room in the rows there are.
    """
    ((cond, extra),), _ = conditionings.edit([entry], dictionary, [edit])
    if cond.shape[1] != entry[0].shape[1]:
        raise ValueError(f"The edit needs {cond.shape[1]} rows, and there are {entry[0].shape[1]}.")
    step, pooled = cond - repeated(entry[0], cond.shape), extra.get("pooled_output")
    return OtherStep(step, None if pooled is None else pooled - repeated(entry[1]["pooled_output"], pooled.shape))


def _hear(wanted: Wanted, heard: Heard, call: Call) -> Tensor:
    weight = wanted.window.weight(float(call.options["sigmas"].max()), wanted.to_sigma)
    return METHODS[wanted.method](wanted, call, heard) if weight else call.run()


def _effect(wanted: Wanted, call: Call, heard: Heard) -> Tensor:
    """How much the picture that the model foresees changes where it is told something else; the other ways in turn."""
    made, turn = call.run(), heard.count // len(call.own)
    with transformer.long_lived():  # before the model runs again
        made = made.clone()
    context = call.moved(call.context, lambda tag: tag.others[turn % len(tag.others)].cond)
    pooled = call.pooled
    if pooled is not None:
        pooled = call.moved(pooled, lambda tag: tag.others[turn % len(tag.others)].pooled)
    without = call.run(context, pooled)
    for rows, _ in call.own:
        heard.add((without[rows] - made[rows]).square().mean(1).sqrt().flatten(0, -3))  # one frame of a film is one
    return made


def _attention(wanted: Wanted, call: Call, heard: Heard) -> Tensor:
    """The share of an image token's joint attention that goes to the concept's words, averaged over blocks."""
    high = -(-call.x.shape[-2] // call.blocks.patch)  # odd latents are padded

    def hear(_: int, joint: Joint) -> None:
        for rows, tag in call.own:
            heard.add(rearrange(_attended(joint, rows, tag), "b (h w) ... -> b h w ...", h=high))

    return call.run(options=listening(call.options, call.blocks, wanted.blocks, hear))


def _attended(joint: Joint, rows: slice, tag: ConceptTag) -> Tensor:
    """Return (B, image tokens) for one entry's rows of the batch."""
    q, k = joint.q[rows], joint.k[rows]
    copies = range(0, joint.text_rows, tag.length)  # ComfyUI tiles unequal prompts
    made = q.new_zeros(len(q), q.shape[1] - joint.text_rows, dtype=torch.float32)
    for i in range(min(len(tag.rows), len(q))):
        every = slice(i, None, len(tag.rows))  # an entry's batch rows are repeated in turn
        own = [start + row for start in copies for row in tag.rows[i]]
        made[every] = masses(joint.attention, q[every], k[every], joint.heads, [own], joint.text_rows)[..., 0]
    return made


METHODS: Mapping[str, Callable[[Wanted, Call, Heard], Tensor]] = {"effect": _effect, "attention": _attention}
"""Name → how a call of the model is listened to."""
