"""Rows for tokens that have none: which pads take them, what these become, and how many stay."""

from dataclasses import replace

import pytest
import torch

from supsae.portraits import captions
from supsae.supsae_core.editing.apply import apply, in_order
from supsae.supsae_core.editing.change import Change
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.editing.growing import spare
from supsae.supsae_core.editing.room import room_for
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.encoders.layout import Layout, Roles
from supsae.supsae_core.encoders.placing import rows_of
from supsae.supsae_core.reading.coded import CodedRows
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.training.calibration import known_reading

RED, BLACK, EYES, CROWN = "hair: red", "hair: black", "eyes: blue", "hat: crown"
SUIT, CITY, SMILE, SAD = "clothing: suit", "background: city", "expression: smile", "expression: sad"


def read(learnt, cond):
    found = read_conditioning(learnt.dictionary, cond).concepts(learnt.dictionary)
    return [str(learnt.table.concepts[one]) for one in found]


@pytest.fixture
def full(learnt, said):
    """Return `full(spare)`: red hair, and so many pads left in the causal chunk; every other word is one token."""

    def make(spare):
        words = ("a drawing of someone with " + " and ".join(captions.WORDING.fillers * 2)).split()
        row = learnt.encoded(said(" ".join(words[: 46 - spare - 3]), "and", RED))
        assert len(known_reading(learnt.dictionary, row).layouts["clip"].roles.pad) == spare
        return row

    return make


@pytest.mark.parametrize(
    ("spare", "edits", "wanted"),
    [
        (0, [Swap(BLACK)], [BLACK]),  # as many words for as many need no pads
        (0, [Remove(RED)], []),
        (0, [Add(SUIT)], [RED, SUIT]),  # no pad is left: a chunk more, and the text of the other encoder is longer
        (4, [Add(SUIT)], [RED, SUIT]),  # half of the pads can be spared, and nothing is left for a city
        (4, [Add(SUIT), Add(CITY)], [RED, SUIT, CITY]),
        # of 4 pads in t5 half would do for the suit, but not for the three words of the haircut as well
        (3, [Add(SUIT), Add("haircut: long")], [RED, SUIT, "haircut: long"]),
        (0, [Add(SUIT), Add("haircut: long"), Add(CITY)], [RED, SUIT, "haircut: long", CITY]),
    ],
)
def test_words_are_written_whether_there_are_pads_or_not(learnt, full, spare, edits, wanted):
    row = full(spare)
    made = apply(learnt.dictionary, row.cond, row.pooled, edits)
    assert sorted(read(learnt, made.cond)) == sorted(wanted)


@pytest.mark.parametrize(("pads", "spared"), [(60, 44), (32, 16), (31, 16), (3, 2), (1, 1), (0, 0)])
def test_sixteen_pads_stay_or_half_of_few_where_rows_can_be_had(pads, spared):
    # 60 − 16, 32 − 16, 31 − 15, 3 − 1, 1 − 0
    assert spare(Layout((), Roles(end=(50,), pad=tuple(range(51, 51 + pads))))) == spared


@pytest.mark.parametrize("pads", [3, 1, 0])
def test_where_no_rows_can_be_had_all_pads_are_written_on(learnt, pads):
    encoder, part = learnt.dictionary.family.encoder("t5"), learnt.dictionary.parts["t5"]
    layout = Layout((), Roles(end=(50,), pad=tuple(range(51, 51 + pads))))
    smile, here = Change(None, learnt.table.index(SMILE), 1.0), CodedRows(learnt.dictionary, encoder, Rows({}, 0), part)
    left, written = room_for(here, layout, [smile] * pads)  # "smiling" takes one row
    assert [rows for _, rows in written] == [(50 + pads - i,) for i in range(pads)]  # farthest from the text first
    assert left.roles.pad == ()
    with pytest.raises(ValueError, match="1 more row and the prompt has 0 to spare. Shorten .* at least 1 word.$"):
        room_for(here, layout, [smile] * (pads + 1))


def test_a_longer_text_gets_the_rows_that_its_rewrite_has(learnt, full):
    """A chunk more, whose start is the other's, and in the other encoder the words before the end, without pads."""
    row = full(0)
    made = apply(learnt.dictionary, row.cond, row.pooled, [Add(SUIT)])
    rewritten = learnt.host.encode([row.entry.prompt.text + ", dark suit"])[0][0]
    assert len(made.reading.rows.own["clip"]) == len(rows_of(rewritten, learnt.host.family).own["clip"]) == 96
    assert len(made.cond) - len(rewritten) in (-1, 0)  # its comma
    assert torch.equal(made.cond[48, :128], row.cond[0, :128])
    other = made.reading.layouts["t5"].roles
    assert other.end == (len(made.cond) - 1,) and len(other.pad) == 2  # the two that were written on
    again = apply(learnt.dictionary, made.cond, made.pooled, [Remove(SUIT)])
    assert read(learnt, again.cond) == [RED]


# --- what the rows become --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(learnt):
    """The dictionary with all gains 1, so that a step is the difference of two decodes."""
    parts = {name: replace(part, gains=torch.ones_like(part.gains)) for name, part in learnt.dictionary.parts.items()}
    return replace(learnt.dictionary, parts=parts)


@pytest.fixture(scope="module")
def sad_face(person, plain):
    """Before and after "smiling" becomes "sad face", which has a token more."""
    row = person(SMILE, RED)
    return row, apply(plain, row.cond, row.pooled, [Swap(SAD)])


def decoded(dictionary, encoder, slot, token, *context):
    """What a token of a slot adds to the bias in a context; slots are concepts in their first phrase, or roles."""
    table, labels = dictionary.table, torch.zeros(len(dictionary.table))
    labels[[table.index(one) for one in context]] = 1
    number = dictionary.role(slot) if slot in dictionary.family.roles else table.first_phrase[table.index(slot)]
    part = dictionary.parts[encoder]
    return part.code(number, token, labels) @ part.decoder


def test_a_removed_phrase_becomes_pads_as_they_stand_behind_the_text(row, plain):
    # Said: red hair, blue eyes, golden crown. In the causal encoder "blue" heard of red hair, a pad of the crown too.
    made = apply(plain, row.cond, row.pooled, [Remove(EYES)])
    for token, where in enumerate(made.reading.layouts["clip"].spans[1].rows):
        step = decoded(plain, "clip", "pad", 0, RED, CROWN) - decoded(plain, "clip", EYES, token, RED)
        torch.testing.assert_close(made.cond[where, :128] - row.cond[where, :128], step, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "last", "columns", "heard"), [("clip", 47, 128, ()), ("t5", 95, 192, (RED,))], ids=["clip", "t5"]
)
def test_tokens_without_room_stand_on_the_last_pads_in_the_context_of_their_slot(
    plain, sad_face, encoder, last, columns, heard
):
    # "face" takes the last row, where a pad heard of smile and red hair; in the causal encoder it hears of nothing
    row, made = sad_face
    step = decoded(plain, encoder, SAD, 1, *heard) - decoded(plain, encoder, "pad", 0, SMILE, RED)
    torch.testing.assert_close((made.cond - row.cond)[last, :columns], step, rtol=0, atol=1e-4)


def test_edited_rows_are_read_in_the_order_of_writing(learnt, plain, sad_face):
    # "face" stands on the last pad, where a reader may not find it as part of the phrase
    made = sad_face[1]
    rows = in_order(plain, made)
    assert read(learnt, rows) == [SAD, RED]
    # the leading encoder's 48 rows alone: "smiling" stands on row 6 of them, the last pad comes behind it
    assert made.reading.lead == "clip"
    assert torch.equal(rows, made.cond[[*range(7), 47, *range(7, 47), *range(48, 96)]])


def test_what_fits_is_in_order_already(learnt, row):
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK), Add(SUIT)])
    assert torch.equal(in_order(learnt.dictionary, made), made.cond)
