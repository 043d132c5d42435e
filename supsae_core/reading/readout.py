"""Which concepts a conditioning says, and where: read from the rows alone, without the prompt's text.

As in docs/method.md, 10: whose rows they are (``check_encoder``, ``check_length``), where the text ends
(``text_end``), then looks at where phrases stand (``looks``, ``places``). Each but the first decodes every phrase in
the context that the one before found, which leaves far less spread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Layout, Span
from ..encoders.placing import layout_of, rows_of
from ..stopping import heed
from ..table.prompts import Prompt
from .looks import Look, look, look_for
from .members import merged
from .places import Found, Places, pick_expected, pick_phrases, score_places
from .reading import Reading
from .scene import Scene
from .text_end import codes_of
from .weights import weighted

MOST_ROWS = 2048
"""Rows of a conditioning that are searched: some 1500 tokens, more than any guide to prompts advises."""
FOREIGN = 0.05
"""Relative distance of start rows above which the text encoder is another one; another precision stays below."""
MORE = 2
"""Times as much as the leading encoder another one must find to lead: then it was given another text."""


def read_conditioning(dictionary: Dictionary, cond: Tensor, named: Collection[int] = ()) -> Reading:
    """Read one conditioning (L, width).

    The leading encoder decides what is said (``leading``); the others say where they have it. Of a category that it
    finds nothing of, less will do where another encoder finds it by itself.

    Args:
        named: concepts of the categories that are expected, since an edit names them: of these less will do.

    Raises:
        ValueError: if the rows fit no layout of the dictionary's format, or are another encoder's or another length's.
    """
    return read_scenes(dictionary, cond, named)[0]


def read_scenes(
    dictionary: Dictionary, cond: Tensor, named: Collection[int] = (), led_by: str | None = None,
    codes: Mapping[str, Tensor] | None = None, *, lead_alone: bool = False,
) -> tuple[Reading, Mapping[str, Scene]]:  # fmt: skip
    """Read as ``read_conditioning``, and return every encoder's scene too, to look at it once more.

    A combined dictionary has none: its members read.

    Args:
        led_by: the encoder that is to lead; None for the best.
        codes: encoder → the codes (own rows, r) of its rows, where they are known.
        lead_alone: whether only the leading encoder's layout is wanted, without prompt weights, to know what is said; a
            combined dictionary has all.
    """
    if dictionary.members:
        return read_together(dictionary, cond, named, led_by), {}
    if len(cond) > MOST_ROWS:
        raise ValueError(
            f"This prompt has {len(cond)} rows of text, and up to {MOST_ROWS} are searched for concepts. Shorten it."
        )
    rows = rows_of(cond, dictionary.family)
    check_encoder(dictionary, cond, rows)
    here = [encoder for encoder in dictionary.family.encoders if rows.of(encoder)]
    known = codes or {}
    scenes = {encoder.name: Scene(dictionary, encoder, cond, rows, known.get(encoder.name)) for encoder in here}
    for scene in scenes.values():
        check_length(scene)
    firsts = {name: score_places(scene) for name, scene in scenes.items()}
    alone = {name: _search(scene, firsts[name], None, named) for name, scene in scenes.items()}
    # The leading encoder says what there is, as often as it finds it; the others are only asked where they have it.
    lead = leading(dictionary, here, rows)
    most = max(here, key=lambda one: len(alone[one.name]))
    if len(alone[most.name]) > MORE * len(alone[lead.name]):
        lead = most
    lead = next((one for one in here if one.name == led_by), lead)
    found = alone[lead.name]
    for encoder in here:
        if encoder != lead:
            found = _witnessed(scenes[lead.name], firsts[lead.name], found, alone[encoder.name])
    found = _joined(dictionary, found)
    wanted = [one.phrase for one in found]
    if lead_alone:
        return Reading({lead.name: _layout(scenes[lead.name], found)}, tuple(found), rows, lead.name), scenes
    layouts = {}
    for name, scene in scenes.items():
        layouts[name] = _layout(scene, found if name == lead.name else _search(scene, firsts[name], wanted))
    told = weighted(dictionary, cond, rows, layouts, codes_of_scenes(scenes))
    return Reading(told, tuple(found), rows, lead.name), scenes


def codes_of_scenes(scenes: Mapping[str, Scene]) -> dict[str, Tensor]:
    """Return encoder → the codes (own rows, r) of its rows."""
    return {name: scene.codes for name, scene in scenes.items()}


def read_together(
    dictionary: Dictionary, cond: Tensor, named: Collection[int] = (), led_by: str | None = None
) -> Reading:
    """Read one conditioning with every member of a combined dictionary; arguments and errors as above.

    Where members would have other encoders lead, that of the one that finds most leads all, if none is to.
    """
    own = [[one.own_concept[concept] for concept in named if concept in one.own_concept] for one in dictionary.members]
    asked = [(one.dictionary, some) for one, some in zip(dictionary.members, own, strict=True)]
    readings = [read_conditioning(one, cond, some) for one, some in asked]
    lead = led_by or max(readings, key=lambda one: len(one.found)).lead
    for place, (one, some) in enumerate(asked):
        if readings[place].lead != lead:
            readings[place] = read_scenes(one, cond, some, lead)[0]
    return merged(dictionary, readings)


def leading(dictionary: Dictionary, here: Sequence[Encoder], rows: Rows) -> Encoder:
    """Return which of some encoders decides what is said: who erred least on calibration prompts, of equals the last.

    Where others have a text in one part, one that has it in several does not: it hears a phrase at a border by halves.
    """
    whole = [one for one in here if len(one.layout.parts(rows.of(one))) == 1] or here
    return min(reversed(whole), key=lambda one: dictionary.parts[one.name].cuts.errors)


def reading_of_prompt(
    dictionary: Dictionary, cond: Tensor, prompt: Prompt, counts: Mapping[str, Sequence[int]]
) -> Reading:
    """Return what a known prompt says and where, as if it had been read without a fault.

    Args:
        dictionary: of its table.
        cond: (L, width) its rows.
        prompt: its words and mentions.
        counts: encoder name → tokens of each of the words.
    """
    heed()
    rows = rows_of(cond, dictionary.family)
    layouts = layout_of(dictionary.family, dictionary.table, prompt, counts, rows)
    lead = leading(dictionary, [one for one in dictionary.family.encoders if one.name in layouts], rows).name
    return Reading(layouts, tuple(Found(span.phrase, span.rows, 1.0) for span in layouts[lead].spans), rows, lead)


def check_encoder(dictionary: Dictionary, cond: Tensor, rows: Rows) -> None:
    """Refuse a conditioning (L, width) of other encoders: a causal one's first row is the same in every prompt.

    Raises:
        ValueError: naming the encoder and how far its first row is from the dictionary's. Weaker than a fingerprint:
            an encoder without such a row (T5) is judged by its width alone.
    """
    for encoder in dictionary.family.encoders:
        role, own = encoder.layout.constant, rows.of(encoder)
        if role is not None and own:
            part, slot = dictionary.parts[encoder.name], dictionary.role(role)
            wanted, start = part.slot_codes[slot, 0], codes_of(part, encoder, cond[own.start : own.start + 1])[0]
            distance = float((start - wanted).norm() / wanted.norm())
            if distance > FOREIGN:
                raise ValueError(
                    f"This conditioning is not of the text encoder {encoder.name!r} that the dictionary was made with "
                    f"(its start row differs by {distance:.0%}, {FOREIGN:.0%} is the limit). Load that encoder, set "
                    "the same clip skip, or apply the edit before nodes that multiply or average conditionings."
                )


def check_length(scene: Scene) -> None:
    """Refuse rows that were padded to another length: pads take part in what a bidirectional encoder says.

    Raises:
        ValueError: naming the length found and the one the dictionary was made with, or that the text has no end.
    """
    encoder, own, layout = scene.encoder, scene.own, scene.encoder.layout
    if not layout.has_pads:
        return
    pads = own.stop - layout.tail - scene.text.end
    policy = layout.wrong_length(len(own), pads)
    if policy is not None:
        raise ValueError(
            f"This conditioning has {len(own)} rows of {encoder.name!r}, the last {max(pads, 0)} of them pads; the "
            f"dictionary was made with prompts padded to {policy}. Encode the prompt with the same length setting "
            f"({scene.dictionary.family.setting}), or capture and fit with this one."
        )
    if pads < 0 and layout.is_longer(len(own)):
        raise ValueError(
            f"The {len(own)} rows of {encoder.name!r} in this conditioning are more than the {layout.length(0)} of "
            "the dictionary's own prompts, and no end of a text is found in them: the prompt is too long for what "
            "was learnt, or conditionings of unequal lengths were averaged. Shorten the prompt, or edit before "
            "nodes that average."
        )
    if pads < 0 and layout.constant is None:  # others are told by their first row
        raise ValueError(
            f"The {len(own)} rows of {encoder.name!r} in this conditioning have no end of a text: they were "
            "averaged or cut, or another text encoder made them. Edit the conditioning before it is averaged."
        )


def _search(scene: Scene, first: Places, wanted: list[int] | None, named: Collection[int] = ()) -> list[Found]:
    """Return the phrases found: of all, or where the ``wanted`` ones are, after a first look at all."""
    cuts = scene.part.cuts
    if wanted is not None:
        return pick_phrases(scene, look_for(scene, wanted, first), wanted, cuts.told)
    least = min(cuts.last, cuts.named) if named else cuts.last
    places = look(scene, Look(cuts.first, cuts.trust, cuts.weakest), first, least)
    found = pick_phrases(scene, places, None, cuts.last, cuts.again)
    return pick_expected(scene, places, found, named, cuts.named) if named else found


def _witnessed(lead: Scene, first: Places, found: list[Found], heard: Sequence[Found]) -> list[Found]:
    """Add what another encoder found by itself of other categories, where the leading one has it too."""
    category_of = lead.category_of.tolist()
    said = {category_of[one.phrase] for one in found}
    missing = [one.phrase for one in heard if category_of[one.phrase] not in said]
    if not missing:
        return found
    taken = set(chain.from_iterable(one.rows for one in found))
    again = _search(lead, first, [*(one.phrase for one in found), *missing])
    more = [one for one in again if one.phrase in missing and taken.isdisjoint(one.rows)]
    return sorted((*found, *more), key=lambda one: one.rows)


def _joined(dictionary: Dictionary, found: Sequence[Found]) -> list[Found]:
    """Take mentions of a concept that follow one another without a row between as one: its own words, in other words.

    Nobody says a concept twice in one breath; but each word of "twin tails" may be held for "pigtails".
    """
    concept_of, made = dictionary.table.phrases, list[Found]()
    for one in found:
        last = made[-1] if made else None
        if (
            last
            and last.rows[-1] + 1 == one.rows[0]
            and concept_of[last.phrase].concept == concept_of[one.phrase].concept
        ):
            best = max(last, one, key=lambda some: some.score)
            made[-1] = Found(best.phrase, (*last.rows, *one.rows), best.score)
        else:
            made.append(one)
    return made


def _layout(scene: Scene, found: Sequence[Found]) -> Layout:
    taken = set(chain.from_iterable(one.rows for one in found))
    roles = scene.encoder.layout.roles(scene.own, (*scene.text.inner, scene.text.end), taken)
    return Layout(tuple(Span(one.phrase, one.rows) for one in found), roles)


def describe_reading(dictionary: Dictionary, reading: Reading) -> str:
    """Return what was read as a sentence."""
    names = [str(dictionary.table.concepts[index]) for index in reading.concepts(dictionary)]
    return ", ".join(names) or "none of the dictionary's concepts"
