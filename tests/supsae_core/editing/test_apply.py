"""Editing a conditioning: what must stay to the bit, what must move, and how close it comes to rewriting the prompt."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from supsae.portraits import captions
from supsae.supsae_core.editing import step
from supsae.supsae_core.editing.apply import apply, edit_cond, in_order
from supsae.supsae_core.editing.change import Change
from supsae.supsae_core.editing.edits import ACTIONS, Add, Clear, Keep, Remove, Scale, Swap
from supsae.supsae_core.editing.room import room_for
from supsae.supsae_core.editing.step import RowStep
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.encoders.layout import Layout, Roles
from supsae.supsae_core.reading.coded import CodedRows
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training.calibration import known_reading, paired_rows

assert ACTIONS, "the table of actions is empty"
RED, BLACK, CROWN, TOP_HAT = "hair: red", "hair: black", "hat: crown", "hat: top hat"
EYES, SUIT, BEACH, CITY = "eyes: blue", "clothing: suit", "background: beach", "background: city"


def said(learnt, *parts):
    """A prompt: concepts in their first phrase, and any other words."""
    words, mentions = [], []
    spellings = {str(concept): index for index, concept in enumerate(learnt.table.concepts)}
    for part in parts:
        text = part
        if part in spellings:
            phrase = learnt.table.first_phrase[spellings[part]]
            text = learnt.table.phrases[phrase].text
            mentions.append(Mention(phrase, len(words), len(words) + len(text.split())))
        words += text.split()
    return Prompt(tuple(words), tuple(mentions))


@pytest.fixture(scope="module")
def row(learnt):
    """Said: red hair, blue eyes and a crown; clothing and background are not mentioned."""
    return learnt.encoded(said(learnt, "a drawing of someone with", RED, "and", EYES, "with", CROWN))


LEGAL = {"swap": Swap(BLACK), "add": Add(SUIT), "remove": Remove(EYES), "scale": Scale(CROWN, 1.5)}
EVERY = [LEGAL[action] for action in ("swap", "add", "remove", "scale")]  # of four categories


def test_every_action_has_a_case():
    assert LEGAL.keys() == ACTIONS.keys()


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        [Swap(RED)],
        [Swap(BLACK, 0.0)],
        [Add(SUIT, 0.0)],
        [Remove(RED, 0.0)],
        [Scale(RED, 1.0)],
        [Swap(RED), Add(SUIT, 0.0)],
        [Keep("eyes"), Keep("hat")],
        [Keep("eyes"), Swap(RED)],
        [Clear("clothing")],
        [Clear("hair", 0.0)],
    ],
)
def test_no_op_returns_the_very_same_tensors(learnt, row, nothing):
    made = apply(learnt.dictionary, row.cond, row.pooled, nothing)
    assert made.cond is row.cond and made.pooled is row.pooled and made.changes == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("action", ACTIONS)
def test_shape_type_and_device_stay_and_nothing_is_written_in_place(learnt, row, action, dtype):
    cond, pooled = row.cond.to(dtype), row.pooled.to(dtype)
    before = cond.clone(), pooled.clone()
    made = apply(learnt.dictionary, cond, pooled, [LEGAL[action]])
    assert torch.equal(cond, before[0]) and torch.equal(pooled, before[1])
    for new, old in ((made.cond, cond), (made.pooled, pooled)):
        assert (new.shape, new.dtype, new.device) == (old.shape, old.dtype, old.device) and not torch.equal(new, old)
        assert new.data_ptr() != old.data_ptr()
    # another precision is another rounding of the same edit; features are of order 1 to 10
    exact = apply(learnt.dictionary, row.cond, row.pooled, [LEGAL[action]])
    for new, wanted in ((made.cond, exact.cond), (made.pooled, exact.pooled)):
        assert (new.float() - wanted).abs().max() <= 16 * torch.finfo(dtype).eps + 1e-5


def test_a_conditioning_without_pooled(learnt, row):
    made = apply(learnt.dictionary, row.cond, None, [LEGAL["swap"]])
    assert made.pooled is None
    assert torch.equal(made.cond, apply(learnt.dictionary, row.cond, row.pooled, [LEGAL["swap"]]).cond)


@pytest.mark.parametrize("action", ACTIONS)
def test_causal_rows_before_the_edited_slot_are_bit_equal(learnt, row, action):
    made = apply(learnt.dictionary, row.cond, row.pooled, [LEGAL[action]])
    layout, phrases = made.reading.layouts["clip"], learnt.dictionary.table.phrases
    spans = [one for one in layout.spans if phrases[one.phrase].concept == made.changes[0].old]
    first = spans[0].rows[0] if spans else layout.roles.end[-1]  # what is added is written behind the text
    assert torch.equal(made.cond[:first], row.cond[:first])
    assert (made.cond[first:48, :128] != row.cond[first:48, :128]).any(1).all()
    assert not made.cond[:48, 128:].any()  # still a causal row by content


def test_a_swap_moves_every_row_of_the_bidirectional_encoder(learnt, row):
    made = apply(learnt.dictionary, row.cond, row.pooled, [LEGAL["swap"]])
    assert (made.cond[48:] != row.cond[48:]).any(1).all()


def test_order_of_edits_is_irrelevant(learnt, row):
    one, other = (apply(learnt.dictionary, row.cond, row.pooled, some) for some in (EVERY, EVERY[::-1]))
    assert torch.equal(one.cond, other.cond) and torch.equal(one.pooled, other.pooled)
    assert (
        read_conditioning(learnt.dictionary, one.cond).layouts
        == read_conditioning(learnt.dictionary, other.cond).layouts
    )


def test_several_edits_are_one_change_of_support(learnt, row):
    """Each slot is decoded in the context after all edits: not the sum of edits made one by one in the old context."""
    edits = [Swap(BLACK), Swap(TOP_HAT)]
    both = apply(learnt.dictionary, row.cond, row.pooled, edits)
    assert [change[:2] for change in both.changes] == [
        tuple(map(learnt.table.index, pair)) for pair in ((RED, BLACK), (CROWN, TOP_HAT))
    ]
    target = learnt.encoded(said(learnt, "a drawing of someone with", BLACK, "and", EYES, "with", TOP_HAT))
    # black hair, top hat: as many tokens as red hair, golden crown, so row stands for row
    change = target.cond - row.cond
    alone = sum(apply(learnt.dictionary, row.cond, None, [one]).cond - row.cond for one in edits)
    assert (
        (both.cond - target.cond).square().sum()
        < (row.cond + alone - target.cond).square().sum()
        < change.square().sum()
    )


def test_the_pooled_vector_adds_up(learnt, row):
    # order-blind and additive: the edits' moves add up to the move of all of them
    alone = sum(apply(learnt.dictionary, row.cond, row.pooled, [one]).pooled - row.pooled for one in EVERY)
    both = apply(learnt.dictionary, row.cond, row.pooled, EVERY).pooled - row.pooled
    torch.testing.assert_close(both, alone, rtol=0, atol=1e-4)


def test_scale_is_linear_about_what_is_said(learnt, row):
    # strength enters as s − 1: scaling to 1.5 and to 0.5 are opposite steps
    up, down = (apply(learnt.dictionary, row.cond, row.pooled, [Scale(CROWN, s)]) for s in (1.5, 0.5))
    torch.testing.assert_close(up.cond - row.cond, row.cond - down.cond, rtol=0, atol=1e-4)
    torch.testing.assert_close(up.pooled - row.pooled, row.pooled - down.pooled, rtol=0, atol=1e-4)


# --- held against rewriting the prompt -------------------------------------------------------------------------------


def drawn(learnt, count, seed, *, unseen=False):
    """Prompts with a swap for a concept that says something else in the same category: (prompt, old, new)."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        prompt = prompts.draw_prompt(learnt.table, rng, wording=captions.WORDING, held_out=learnt.held_out, require=[])
        support = prompt.support(learnt.table)
        pairs = [
            (old, new)
            for old in support
            for new in learnt.table.categories[learnt.table.concepts[old].category]
            if new != old and prompts.has_pair([*(c for c in support if c != old), new], learnt.held_out) == unseen
        ]
        if pairs and len(prompt.words) < 36:  # one chunk before and after
            found.append((prompt, *pairs[int(rng.integers(len(pairs)))]))
    return found


def errors(learnt, row, made, target):
    """Per part, ‖edited − rewritten‖² and ‖unedited − rewritten‖² over rows that stand for one another."""
    before, after = known_reading(learnt.dictionary, row), known_reading(learnt.dictionary, target)
    found = {"pooled": torch.stack([(x - target.pooled).square().sum() for x in (made.pooled, row.pooled)])}
    for encoder in learnt.dictionary.family.encoders:
        here, there = paired_rows(before.layouts[encoder.name], after.layouts[encoder.name])
        wanted = target.cond[there, encoder.first : encoder.last]
        found[encoder.name] = torch.stack(
            [(x[here, encoder.first : encoder.last] - wanted).square().sum() for x in (made.cond, row.cond)]
        )
    return found


def swap_ratios(learnt, cases):
    """Per part, the share of a rewrite's squared change that a swap leaves undone."""
    total = {}
    for prompt, old, new in cases:
        row, target = learnt.encoded(prompt), learnt.encoded(prompts.rewrite(learnt.table, prompt, old, new))
        reading = known_reading(learnt.dictionary, row)
        made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(str(learnt.table.concepts[new]))], reading)
        for name, some in errors(learnt, row, made, target).items():
            total[name] = total.get(name, 0) + some
    return {name: float(one / all_) for name, (one, all_) in total.items()}


# Measured with 200 prompts: clip 0.09, t5 0.24, pooled 0.11 of the change left undone, on seen and unseen pairs alike
# (held-out fvu_slot: 0.15 and 0.25). The bounds leave a third for the draw of 40 cases.
LEFT = {"clip": 0.13, "t5": 0.32, "pooled": 0.15}


@pytest.mark.parametrize("unseen", [False, True], ids=["seen pairs", "unseen pairs"])
def test_a_swap_is_like_rewriting_the_prompt(learnt, unseen):
    found = swap_ratios(learnt, drawn(learnt, 40, 21 + unseen, unseen=unseen))
    assert found.keys() == LEFT.keys() and all(found[name] < LEFT[name] for name in LEFT), found


def test_without_the_rest_most_of_the_change_is_left_undone(learnt, monkeypatch):
    # Slots hold a third of a swap's change at most; measured without fillers, ends and pads: clip 0.70, t5 0.79.
    cases = drawn(learnt, 20, 33)
    whole = swap_ratios(learnt, cases)
    monkeypatch.setattr(step, "REST", False)
    alone = swap_ratios(learnt, cases)
    assert alone["pooled"] == whole["pooled"]
    assert all(alone[name] > 0.5 and alone[name] > 2 * whole[name] for name in ("clip", "t5")), (whole, alone)


def support_after(learnt, row, edits):
    made = apply(learnt.dictionary, row.cond, row.pooled, edits)
    return {
        str(learnt.table.concepts[one])
        for one in read_conditioning(learnt.dictionary, made.cond).concepts(learnt.dictionary)
    }


READ_BACK = {
    "swap": ([Swap(BLACK)], {BLACK, EYES, CROWN}),
    "swap for a longer phrase": (
        [Swap("haircut: long"), Swap("hair: blond")],
        {"hair: blond", EYES, CROWN, "haircut: long"},
    ),
    "swap for a shorter phrase": ([Swap("hat: beanie")], {RED, EYES, "hat: beanie"}),
    "add": ([Add(SUIT)], {RED, EYES, CROWN, SUIT}),
    "add two": ([Add(SUIT), Add(CITY)], {RED, EYES, CROWN, SUIT, CITY}),
    "remove": ([Remove(EYES)], {RED, CROWN}),
    "remove all": ([Remove(EYES), Remove(RED), Remove(CROWN)], set()),
    "all kinds": ([Swap(BLACK), Add(SUIT), Remove(EYES)], {BLACK, CROWN, SUIT}),
}


@pytest.mark.parametrize("name", READ_BACK)
def test_an_edit_reads_as_what_it_says(learnt, row, name):
    edits, wanted = READ_BACK[name]
    assert support_after(learnt, row, edits) == wanted


@pytest.mark.parametrize("kind", [Swap, Add, Remove])
def test_edits_of_fresh_prompts_read_as_what_they_say(learnt, kind):
    rng, right = np.random.default_rng(5), 0
    for prompt, old, new in drawn(learnt, 20, 44):
        concepts = learnt.table.concepts
        support, edit = {str(concepts[one]) for one in prompt.support(learnt.table)}, kind(str(concepts[new]))
        wanted = support - {str(concepts[old])} | {edit.concept}
        if kind is Remove:
            edit, wanted = Remove(str(concepts[old])), support - {str(concepts[old])}
        if kind is Add:
            free = [c for c in concepts if c.category not in {str(one).split(":")[0] for one in support}]
            if not free:
                right += 1
                continue
            edit = Add(str(free[int(rng.integers(len(free)))]))
            wanted = support | {edit.concept}
        right += support_after(learnt, learnt.encoded(prompt), [edit]) == wanted
    assert right >= 18  # measured: 20 of 20; one miss is 5 %


# --- corners ---------------------------------------------------------------------------------------------------------


def test_both_mentions_of_a_concept_are_swapped(learnt):
    row = learnt.encoded(said(learnt, "a drawing of someone with", RED, "and", CROWN, "and", RED))
    assert support_after(learnt, row, [Swap(BLACK)]) == {BLACK, CROWN}


def test_two_values_of_a_category_are_swapped_for_one(learnt):
    """Both become the third value, and the rest of the prompt hears of it once, not twice."""
    row = learnt.encoded(said(learnt, "a drawing of someone with", RED, "and", CROWN, "and", BLACK))
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap("hair: blue")])
    part = learnt.dictionary.parts["pooled"]
    red, black, blue = (learnt.table.index(one) for one in (RED, BLACK, "hair: blue"))
    move = torch.zeros(len(learnt.table))
    move[[red, black]], move[blue] = -part.gains[blue], part.gains[blue]
    torch.testing.assert_close(made.pooled - row.pooled, move @ part.effect(0) @ part.decoder, rtol=0, atol=1e-4)
    for encoder in learnt.dictionary.family.encoders:
        part, here = learnt.dictionary.parts[encoder.name], made.reading.coded(learnt.dictionary, encoder)
        work = RowStep(here, room_for(here, made.reading.layouts[encoder.name], made.changes), made.changes)
        assert work.new[:, blue].max() == pytest.approx(float(part.gains[blue]))


@pytest.mark.parametrize("which", [1, 2])
def test_one_of_two_mentions_changes_alone(learnt, which):
    """Two people with red hair: the other's tokens hear of the change, but stay nearer to red than to black."""
    row = learnt.encoded(said(learnt, "a drawing of someone with", RED, "beside someone with", RED))
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK, occurrence=which)])
    red, black = (learnt.table.index(one) for one in (RED, BLACK))
    assert [(c.old, c.new, c.occurrence) for c in made.changes] == [(red, black, which)]
    wanted = [black if place == which else red for place in (1, 2)]
    assert list(read_conditioning(learnt.dictionary, made.cond).concepts(learnt.dictionary)) == wanted
    every = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK)])
    assert list(read_conditioning(learnt.dictionary, every.cond).concepts(learnt.dictionary)) == [black, black]


def test_pooled_goes_on_saying_what_is_still_mentioned(learnt):
    row = learnt.encoded(said(learnt, "a drawing of someone with", RED, "beside someone with", RED))
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK, occurrence=2)])
    part, black = learnt.dictionary.parts["pooled"], learnt.table.index(BLACK)
    step = part.gains[black] * part.effect(0)[black] @ part.decoder  # black comes, red stays
    torch.testing.assert_close(made.pooled - row.pooled, step, rtol=0, atol=1e-4)


def test_an_occurrence_that_is_not_there(learnt):
    row = learnt.encoded(said(learnt, "a drawing of someone with", RED))
    for edit in (Swap(BLACK, occurrence=2), Remove(RED, occurrence=2), Remove(RED, occurrence=-1)):
        with pytest.raises(ValueError, match="mentions it(s category)? 1 times"):
            apply(learnt.dictionary, row.cond, row.pooled, [edit])


def test_a_phrase_behind_the_first_chunk_leaves_pooled_bit_equal(learnt):
    opener = "a drawing of someone with " + ", ".join(captions.WORDING.fillers * 2)
    row = learnt.encoded(said(learnt, opener, RED, "and", CROWN))
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK), Remove(CROWN)])
    assert (
        len(made.reading.rows.own["clip"]) == 96 and made.pooled is row.pooled and not torch.equal(made.cond, row.cond)
    )
    assert torch.equal(made.cond[:48], row.cond[:48])


def full(learnt, spare):
    """A prompt that says red hair and leaves so many pads in the causal chunk; its words are one token each."""
    words = ("a drawing of someone with " + " and ".join(captions.WORDING.fillers * 2)).split()
    row = learnt.encoded(said(learnt, " ".join(words[: 46 - spare - 3]), "and", RED))
    assert len(known_reading(learnt.dictionary, row).layouts["clip"].roles.pad) == spare
    return row


def test_too_few_pads(learnt):
    # "dark suit" needs two rows, and none is left in the causal chunk
    row = full(learnt, 0)
    with pytest.raises(
        ValueError, match="Too few pads in 'clip': writing 'dark suit' needs 2 more rows and the prompt has 0 to spare"
    ):
        apply(learnt.dictionary, row.cond, row.pooled, [Add(SUIT)])
    # what needs no pads goes on: as many words for as many, and fewer
    assert support_after(learnt, row, [Swap(BLACK)]) == {BLACK}
    assert support_after(learnt, row, [Remove(RED)]) == set()


def test_a_reserve_of_pads_stays(learnt):
    # of 4 pads half can be spared: enough for "dark suit", and nothing is left for a city
    row = full(learnt, 4)
    assert support_after(learnt, row, [Add(SUIT)]) == {RED, SUIT}
    with pytest.raises(ValueError, match="Too few pads in 'clip'.* has 0 to spare"):
        apply(learnt.dictionary, row.cond, row.pooled, [Add(SUIT), Add(CITY)])


@pytest.mark.parametrize(("pads", "spare"), [(60, 44), (32, 16), (31, 16), (3, 2), (1, 1)])
def test_sixteen_pads_stay_or_half_of_few(learnt, pads, spare):
    # 60 − 16, 32 − 16, 31 − 15, 3 − 1, 1 − 0; "smiling" takes one row
    encoder, part = learnt.dictionary.family.encoder("t5"), learnt.dictionary.parts["t5"]
    here = CodedRows(learnt.dictionary, encoder, Rows({}, 0), part)
    layout = Layout((), Roles(end=(50,), pad=tuple(range(51, 51 + pads))))
    smile = Change(None, learnt.table.index("expression: smile"), 1.0)
    left, written = room_for(here, layout, [smile] * spare)
    assert [rows for _, rows in written] == [(50 + pads - i,) for i in range(spare)]  # farthest from the text first
    assert left.roles.pad == tuple(range(51, 51 + pads - spare))
    with pytest.raises(ValueError, match="Too few pads"):
        room_for(here, layout, [smile] * (spare + 1))


def test_an_empty_prompt_can_be_added_to(learnt):
    row = learnt.encoded(Prompt((), ()))
    assert support_after(learnt, row, [Add(RED), Add(CROWN)]) == {RED, CROWN}


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([Swap("hair: rde")], "no concept 'hair: rde'.*Did you mean 'hair: red'"),
        ([Remove(BEACH)], "Cannot remove 'background: beach': the prompt does not say it"),
        ([Remove(BLACK)], "Cannot remove 'hair: black'.*it says 'hair: red'"),
        ([Add(BLACK)], "Cannot add 'hair: black': the prompt says 'hair: red' already"),
        ([Swap(BLACK), Remove(RED)], "Two edits"),
    ],
)
def test_refused_edits_say_why(learnt, row, edits, message):
    with pytest.raises(ValueError, match=message):
        apply(learnt.dictionary, row.cond, row.pooled, edits)


def test_a_pooled_vector_of_another_model(learnt, row):
    with pytest.raises(ValueError, match=r"shape \(100,\) is not of the family 'portraits', which has \(128,\)"):
        apply(learnt.dictionary, row.cond, row.pooled[:100], [Swap(BLACK)])


def test_strength_follows_the_slider(learnt, row):
    bent = replace(learnt.dictionary, slider=((0.5, 0.7), (1.0, 1.0)))
    one = apply(bent, row.cond, row.pooled, [Swap(BLACK, 0.5)])
    other = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK, 0.7)])
    assert [change.alpha for change in one.changes] == [pytest.approx(0.7)]
    torch.testing.assert_close(one.cond, other.cond)


def plain(learnt):
    """The dictionary with all gains 1, so that a step is the difference of two decodes."""
    parts = {name: replace(part, gains=torch.ones_like(part.gains)) for name, part in learnt.dictionary.parts.items()}
    return replace(learnt.dictionary, parts=parts)


def labels(learnt, *concepts):
    found = torch.zeros(len(learnt.table))
    found[[learnt.table.index(one) for one in concepts]] = 1
    return found


def moved(learnt, encoder, old, new):
    """What a row moves by when its code goes from one (slot, token, context) to another."""
    part = learnt.dictionary.parts[encoder]
    return (part.code(*new) - part.code(*old)) @ part.decoder


def test_a_removed_phrase_becomes_pads_as_they_stand_behind_the_text(learnt, row):
    # Said: red hair, blue eyes, golden crown. In the causal encoder "blue" heard of red hair, a pad of the crown too.
    made = apply(plain(learnt), row.cond, row.pooled, [Remove(EYES)])
    at, phrase = made.reading.layouts["clip"].spans[1].rows, learnt.table.first_phrase[learnt.table.index(EYES)]
    pad = (learnt.dictionary.role("pad"), 0, labels(learnt, RED, CROWN))
    for token, where in enumerate(at):
        step = moved(learnt, "clip", (phrase, token, labels(learnt, RED)), pad)
        torch.testing.assert_close(made.cond[where, :128] - row.cond[where, :128], step, rtol=0, atol=1e-4)


def test_tokens_without_room_are_written_on_the_last_pads_in_the_context_of_their_slot(learnt):
    # "smiling" → "sad face": "face" takes row 47, where a pad heard of smile and red hair; "face" hears of nothing
    smile, sad = "expression: smile", "expression: sad"
    row = learnt.encoded(said(learnt, "a drawing of someone", smile, "with", RED))
    made = apply(plain(learnt), row.cond, row.pooled, [Swap(sad)])
    phrase = learnt.table.first_phrase[learnt.table.index(sad)]
    pad = (learnt.dictionary.role("pad"), 0, labels(learnt, smile, RED))
    step = moved(learnt, "clip", pad, (phrase, 1, labels(learnt)))
    torch.testing.assert_close(made.cond[47, :128] - row.cond[47, :128], step, rtol=0, atol=1e-4)
    step = moved(learnt, "t5", pad, (phrase, 1, labels(learnt, RED)))
    torch.testing.assert_close(made.cond[95] - row.cond[95], step, rtol=0, atol=1e-4)


def test_calibration_multiplies_the_strength(learnt, row):
    """A part whose gains are doubled does at half the strength what it did."""
    parts = {name: replace(part, gains=2 * part.gains) for name, part in learnt.dictionary.parts.items()}
    one = apply(replace(learnt.dictionary, parts=parts), row.cond, row.pooled, [Swap(BLACK, 0.5)])
    other = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK)])
    torch.testing.assert_close(one.cond, other.cond)
    torch.testing.assert_close(one.pooled, other.pooled)


def test_rows_of_an_encoder_that_is_not_there_are_not_asked_for(learnt, row):
    made = apply(learnt.dictionary, row.cond[:48], row.pooled, [Swap(BLACK)])
    whole = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK)])
    torch.testing.assert_close(made.cond, whole.cond[:48])


def test_pooled_stays_where_its_encoder_said_nothing(learnt, row):
    made = apply(learnt.dictionary, row.cond[48:], row.pooled, [Swap(BLACK)])
    assert made.pooled is row.pooled
    whole = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK)])
    torch.testing.assert_close(made.cond, whole.cond[48:])


def test_a_change_that_nothing_holds_moves_nothing(learnt, row):
    """A concept found by the leading encoder alone: the other one has no row to change."""
    reading = read_conditioning(learnt.dictionary, row.cond)
    bare = reading.layouts["clip"]._replace(spans=reading.layouts["clip"].spans[1:])
    reading = reading._replace(layouts={**reading.layouts, "clip": bare})
    change = Change(learnt.table.index(RED), learnt.table.index(BLACK), 1.0)
    made = edit_cond(learnt.dictionary, row.cond, reading, [change])
    assert torch.equal(made[:48], row.cond[:48]) and not torch.equal(made[48:], row.cond[48:])


def test_an_addition_can_be_removed_again(learnt, row):
    """Applied one after the other: the second reads what the first wrote, and takes most of it back."""
    added = apply(learnt.dictionary, row.cond, row.pooled, [Add(SUIT)])
    back = apply(learnt.dictionary, added.cond, added.pooled, [Remove(SUIT)])
    assert (back.cond - row.cond).square().sum() < 0.05 * (added.cond - row.cond).square().sum()
    torch.testing.assert_close(back.pooled, row.pooled, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="Cannot add 'clothing: suit': the prompt says 'clothing: suit' already"):
        apply(learnt.dictionary, added.cond, added.pooled, [Add(SUIT)])


def test_clearing_is_removing_what_is_said(learnt, row):
    made = apply(learnt.dictionary, row.cond, row.pooled, [Clear("eyes", 0.7)])
    wanted = apply(learnt.dictionary, row.cond, row.pooled, [Remove(EYES, 0.7)])
    assert torch.equal(made.cond, wanted.cond) and torch.equal(made.pooled, wanted.pooled)


KEPT = {"said": "eyes", "not said": "clothing"}


def kept_share(learnt, row, edits, category):
    """How much the codes read out of what edits add point along the category's effects, slot by slot; 1 is all of it.

    Of every row that has a slot of its own before the edit, and of the pooled vector.
    """
    dictionary = learnt.dictionary
    made, members = apply(dictionary, row.cond, row.pooled, edits), list(learnt.table.categories[category])
    found = []

    def look(part, slot, step):
        effect = part.effect(slot)[members].double()
        directions = effect - effect.mean(0)
        read_out = step.double() @ part.decoder.double().T @ directions.T
        whole = step.double().norm(dim=-1, keepdim=True) * directions.norm(dim=-1)
        found.append((read_out.abs() / whole.clamp(min=1e-6)).max())

    for encoder in dictionary.family.encoders:
        part, layout = dictionary.parts[encoder.name], made.reading.layouts[encoder.name]
        step = (made.cond - row.cond)[:, encoder.first : encoder.last]
        slots = [(span.phrase, span.rows) for span in layout.spans]
        slots += [(dictionary.role(name), rows) for name, rows in layout.roles.filled().items()]
        for slot, rows in slots:
            if rows:
                look(part, slot, step[list(rows)])
    look(dictionary.parts["pooled"], 0, (made.pooled - row.pooled)[None])
    return float(torch.stack(found).max())


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("action", ACTIONS)
def test_read_out_of_what_is_kept_stays(learnt, row, action, name):
    edit = LEGAL[action] if action != "remove" else Remove(CROWN)
    if KEPT[name] == "clothing" and action == "add":
        edit = Add(BEACH)
    free, held = (kept_share(learnt, row, some, KEPT[name]) for some in ([edit], [edit, Keep(KEPT[name])]))
    assert held < 1e-5 < 1e-2 < free  # 1e-5: conditionings of order 10 are rounded to 24 bits, steps are of order 1


def test_what_is_kept_is_read_in_its_place_behind_three_swaps(learnt):
    """Its tokens move with their context; a reader would not find them if they stood still."""
    parts = (RED, "and", EYES, "with", CROWN, "in front of", BEACH, "wearing", SUIT)
    row = learnt.encoded(said(learnt, "a drawing of someone with", *parts))
    edits = [Swap(BLACK), Swap(TOP_HAT), Swap(CITY), Keep("eyes"), Keep("clothing")]
    made = apply(learnt.dictionary, row.cond, row.pooled, edits)
    wanted = [learnt.table.index(name) for name in (BLACK, EYES, TOP_HAT, CITY, SUIT)]
    assert list(read_conditioning(learnt.dictionary, made.cond).concepts(learnt.dictionary)) == wanted
    for layout in made.reading.layouts.values():
        (eyes,) = [one for one in layout.spans if learnt.table.phrases[one.phrase].concept == learnt.table.index(EYES)]
        assert not torch.equal(made.cond[list(eyes.rows)], row.cond[list(eyes.rows)])


def test_keeping_costs_an_edit_little(learnt, row):
    """Most of what a swap does is about other things: it comes as near to the rewrite."""
    target = learnt.encoded(said(learnt, "a drawing of someone with", BLACK, "and", EYES, "with", CROWN))
    free, held = (apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK), *some]) for some in ([], [Keep("eyes")]))
    far = [(one.cond - target.cond).square().sum() for one in (free, held)]
    assert far[0] != far[1] and far[1] < 1.1 * far[0] < 0.5 * (row.cond - target.cond).square().sum()


def test_edited_rows_are_read_in_the_order_of_writing(learnt):
    # "smiling" → "sad face": "face" stands on the last pad, where a reader does not find it as part of the phrase
    smile, sad = "expression: smile", "expression: sad"
    row = learnt.encoded(said(learnt, "a drawing of someone", smile, "with", RED))
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(sad)])
    assert learnt.table.index(sad) not in read_conditioning(learnt.dictionary, made.cond).concepts(learnt.dictionary)
    rows = in_order(learnt.dictionary, made.cond, made.reading, made.changes)
    wanted = tuple(learnt.table.index(name) for name in (sad, RED))
    assert read_conditioning(learnt.dictionary, rows).concepts(learnt.dictionary) == wanted
    # the leading encoder's 48 rows alone: "smiling" stands on row 4 of them, the last pad comes behind it
    order = [*range(48 + 5), 95, *range(48 + 5, 95)]
    assert torch.equal(rows, made.cond[order])


def test_what_fits_is_in_order_already(learnt, row):
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK), Add(SUIT)])
    assert torch.equal(in_order(learnt.dictionary, made.cond, made.reading, made.changes), made.cond)
