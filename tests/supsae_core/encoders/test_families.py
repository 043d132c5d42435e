"""What every family of the table must keep: columns side by side, and one place for every row of any text."""

import json

import pytest

from supsae.hosts.choose import OWN
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.families.stored import family_from_json, family_to_json
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.encoders.templated import Templated

assert FAMILIES, "the table of families is empty"

ENCODERS = [(name, encoder) for name, family in FAMILIES.items() for encoder in family.encoders]
TOKENS = (0, 1, 2, 46, 47, 75, 76, 150, 151, 255, 400)
"""Lengths of texts, in tokens, about those where chunks and pads end."""
each = pytest.mark.parametrize(("name", "encoder"), ENCODERS, ids=lambda one: getattr(one, "name", one))

LENGTHS = {
    # a start row and 77 at a time: 76 words fill the first 77 rows, one more begins the second
    "steps": (Templated(1, 0, 77, step=77), {0: 77, 76: 77, 77: 154, 153: 154, 154: 231}, None),
    # an end row, 64 rows at least, then 32 at a time: 63 words and the end are 64 rows
    "steps of pads": (Padded(64, step=32), {63: 64, 64: 96, 95: 96, 96: 128}, None),
    # two rows before and three behind leave 35 of 40 for words
    "cut": (Templated(2, 3, 40, cut=True), {0: 40, 35: 40, 99: 40}, 35),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_texts_are_padded_in_steps_or_cut(name):
    layout, rows, room = LENGTHS[name]
    assert {tokens: layout.length(tokens) for tokens in rows} == rows and layout.room == room
    assert layout.has_pads and not layout.is_longer(max(rows.values()))
    other = "where longer ones are cut" if name == "cut" else f"steps of {layout.step} rows"
    for length, pads in ((layout.least - 1, 0), (layout.least + 2 * layout.step, 2 * layout.step)):
        assert other in layout.wrong_length(length, pads)
    assert layout.wrong_length(layout.least, 30) is None
    assert (
        len({Templated(1, 0, 77).policy, Templated(1, 0, 77, step=77).policy, Templated(1, 0, 77, cut=True).policy})
        == 3
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_families_fit_together(name):
    # encoders of one segment stand side by side from column 0 on, the widest segment fills the width
    family = FAMILIES[name]
    assert family.name == name and family_from_json(json.loads(json.dumps(family_to_json(family)))) == family
    for some in family.segments.values():
        assert [one.first for one in some] == [0, *[one.last for one in some[:-1]]]
    assert max(one.last for one in family.encoders) == family.width
    assert [one.first for one in family.pooled] == [0, *[one.last for one in family.pooled]][: len(family.pooled)]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_host_can_tell_the_encoders(name):
    family = FAMILIES[name]
    rows = {one.name for one in family.encoders}
    for keys in (family.comfyui, family.diffusers):
        assert not keys or rows <= set(keys), "a host that has a family names a tokenizer for all its rows"
    assert family.comfyui or family.diffusers or name in OWN, "no host knows it"
    assert set(family.empty) <= set(family.comfyui)


@each
@pytest.mark.parametrize("tokens", TOKENS)
def test_every_row_has_one_place(name, encoder, tokens):
    layout = encoder.layout
    tokens = tokens if layout.room is None else min(tokens, layout.room)
    own = range(5, 5 + layout.length(tokens))
    words = [layout.place(own, token) for token in range(tokens)]
    roles = layout.roles(own, layout.ends(own, tokens), set(words)).filled()
    assert set(roles) <= set(layout.role_names) and "other" not in roles  # all its words are taken
    assert sorted([*words, *(row for rows in roles.values() for row in rows)]) == list(own)
    assert words == sorted(set(words)) and layout.fits(len(own))
    assert [row for part in layout.parts(own) for row in part] == list(own)


@each
def test_the_empty_prompt_is_known(name, encoder):
    layout = encoder.layout
    own = range(5, 5 + layout.length(0))
    roles = layout.roles(own, layout.ends(own, 0), set()).filled()
    found = {row: role for role, rows in roles.items() for row in rows}
    inside = own[layout.lead :]  # nobody asks of what stands before the words
    assert {row: layout.in_empty(own, row) for row in inside} == {row: found[row] for row in inside}
