"""Reading a conditioning: which phrases it says and where, from its rows alone."""

import numpy as np
import pytest
import torch

from supsae.portraits import captions
from supsae.portraits.text import bidirectional_row, causal_chunks
from supsae.supsae_core.reading.places import Found, Places, _contexts, _fits, pick_phrases
from supsae.supsae_core.reading.readout import describe_reading, read_conditioning
from supsae.supsae_core.reading.text_end import Text, end_row
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training.calibration import known_reading, locate_accuracy

FRESH = 60
LONG_OPENER = (
    "a drawing of someone with highly detailed, soft light, flat colours, in the centre, looking at the viewer, cute, "
    "best quality, clean lines, as a sticker, simple shapes, highly detailed, soft light, cute"
)


def drawn(learnt, count, seed, **options):
    rng = np.random.default_rng(seed)
    return [prompts.draw_prompt(learnt.table, rng, wording=captions.WORDING, **options) for _ in range(count)]


def said(learnt, *parts):
    """A prompt: texts, and numbers of phrases of the table."""
    words, mentions = [], []
    for part in parts:
        text = part if isinstance(part, str) else learnt.table.phrases[part].text
        if not isinstance(part, str):
            mentions.append(Mention(part, len(words), len(words) + len(text.split())))
        words += text.split()
    return Prompt(tuple(words), tuple(mentions))


def slot(learnt, spelling):
    return learnt.table.first_phrase[learnt.table.index(spelling)]


def read_rows(learnt, prompt):
    """What is read and what is true: (phrase, rows) in the leading encoder."""
    row = learnt.encoded(prompt)
    spans = known_reading(learnt.dictionary, row).layouts["t5"].spans
    return [one[:2] for one in read_conditioning(learnt.dictionary, row.cond).found], [one[:2] for one in spans]


@pytest.mark.parametrize("held_out", [True, False], ids=["seen pairs", "any pairs"])
def test_fresh_prompts_are_located(learnt, held_out):
    # (concept, exact span) or unmentioned, for each of 8 categories of 60 prompts drawn by another seed than the fit's
    some = drawn(learnt, FRESH, 1000 + held_out, held_out=learnt.held_out if held_out else ())
    assert locate_accuracy(learnt.dictionary, [learnt.encoded(prompt) for prompt in some]) >= 0.98


def test_every_encoder_finds_its_rows(learnt):
    right = total = 0
    for prompt in drawn(learnt, 40, 5):
        row = learnt.encoded(prompt)
        seen, truth = read_conditioning(learnt.dictionary, row.cond), known_reading(learnt.dictionary, row)
        assert seen.rows == truth.rows and seen.layouts.keys() == truth.layouts.keys()
        for name, layout in truth.layouts.items():
            right += seen.layouts[name] == layout
            total += 1
    assert right >= 0.95 * total  # whole layouts: spans of both encoders, ends, pads and fillers


def test_every_row_of_a_reading_has_one_place(learnt):
    for prompt in drawn(learnt, 20, 6):
        reading = read_conditioning(learnt.dictionary, learnt.encoded(prompt).cond)
        for encoder in learnt.dictionary.family.encoders:
            layout = reading.layouts[encoder.name]
            taken = [row for span in layout.spans for row in span.rows] + [row for some in layout.roles for row in some]
            assert sorted(taken) == list(reading.rows.of(encoder))


def test_nothing_said_is_nothing_found(learnt):
    for text in ("", "a portrait of a person with", "highly detailed, soft light"):
        reading = read_conditioning(learnt.dictionary, learnt.encoded(Prompt(tuple(text.split()), ())).cond)
        assert (
            reading.found == () and describe_reading(learnt.dictionary, reading) == "none of the dictionary's concepts"
        )


def test_two_mentions_of_one_concept_are_both_found(learnt):
    red, hat = slot(learnt, "hair: red"), slot(learnt, "hat: crown")
    found, truth = read_rows(learnt, said(learnt, "a drawing of someone with", red, "and", hat, "and", red))
    assert found == truth and [phrase for phrase, _ in found] == [red, hat, red]


def test_reading_is_a_sentence(learnt):
    prompt = said(learnt, "picture of a character with", slot(learnt, "hair: red"), "and", slot(learnt, "hat: crown"))
    reading = read_conditioning(learnt.dictionary, learnt.encoded(prompt).cond)
    assert describe_reading(learnt.dictionary, reading) == "hair: red, hat: crown"
    assert reading.concepts(learnt.dictionary) == prompt.support(learnt.table)


def test_a_phrase_across_a_chunk_border_is_found_on_both_sides(learnt):
    # 45 tokens before it: the causal encoder has its first word in row 46 and its second in row 49
    prompt = said(learnt, LONG_OPENER, slot(learnt, "hair: red"), "and", slot(learnt, "hat: crown"))
    row = learnt.encoded(prompt)
    assert sum(row.entry.counts["clip"]) == 45 + 2 + 1 + 2
    reading = read_conditioning(learnt.dictionary, row.cond)
    assert reading.concepts(learnt.dictionary) == prompt.support(learnt.table)
    assert reading.layouts["clip"].spans == known_reading(learnt.dictionary, row).layouts["clip"].spans
    assert reading.layouts["clip"].spans[0].rows == (46, 49)


def test_causal_rows_alone_are_read(learnt):
    prompt = said(learnt, "a drawing of someone with", slot(learnt, "hair: red"), "and", slot(learnt, "hat: crown"))
    reading = read_conditioning(learnt.dictionary, learnt.encoded(prompt).cond[:48])
    assert list(reading.layouts) == ["clip"] and reading.concepts(learnt.dictionary) == prompt.support(learnt.table)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_does_not_matter(learnt, dtype):
    for prompt in drawn(learnt, 10, 8):
        cond = learnt.encoded(prompt).cond
        assert (
            read_conditioning(learnt.dictionary, cond.to(dtype)).layouts
            == read_conditioning(learnt.dictionary, cond).layouts
        )


def test_reading_writes_nothing(learnt):
    cond = learnt.encoded(drawn(learnt, 1, 9)[0]).cond
    before = cond.clone()
    read_conditioning(learnt.dictionary, cond)
    assert torch.equal(cond, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda cond: torch.cat([cond[:48] * 1.2, cond[48:]]),
            "not of the text encoder 'clip'.*differs by 2.%, 5% is the",
        ),
        (
            lambda cond: cond[:, :100],
            r"shape \(96, 100\) is not of the family 'portraits'.*Use the dictionary with the",
        ),
        (lambda cond: torch.zeros_like(cond), "all zeros"),
        (lambda cond: torch.cat([cond, cond]), "concatenated or averaged"),
    ],
)
def test_foreign_rows_are_refused(learnt, change, message):
    with pytest.raises(ValueError, match=message):
        read_conditioning(learnt.dictionary, change(learnt.encoded(drawn(learnt, 1, 9)[0]).cond))


@pytest.mark.parametrize("length", [24, 96])
def test_another_length_policy_is_refused(learnt, length):
    # "a drawing of someone with red hair" is 7 tokens, so the end is the 8th row of the bidirectional encoder
    encoders = learnt.host._encoders
    ids = encoders.tokenizer.ids("a drawing of someone with red hair")
    cond = encoders.encode_ids([causal_chunks(ids)], [bidirectional_row(ids, length)]).cond[0]
    with pytest.raises(
        ValueError, match=f"has {length} rows of 't5', the last {length - 8} of them pads; .* padded to 48"
    ):
        read_conditioning(learnt.dictionary, cond)


# --- the steps, on numbers that can be followed ----------------------------------------------------------------------


TAIL = {"text": [-20.0, -20.0], "end": [20.0, -5.0], "pad": [-5.0, 20.0], "odd": [15.0, -20.0]}
"""Scores of being the end, and of being a pad, rather than text; odd words look like an end."""


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ("text text end pad pad", 2),  # 20 for the end and 2 · 20 behind it: more than anywhere else
        ("text text text", 3),  # nothing speaks for an end: the number of rows
        ("end pad pad", 0),  # an empty prompt
        ("text end", 1),  # no pads: 20 is still more than the 0 of no end
        ("text end pad text text text", 1),  # 20 + 20 − 3 · 7: an edit wrote over pads, which is as rare as 1 in 1000
        ("text odd text text end pad", 4),  # 20 + 20; at the odd word 15 + 20 − 5 − 2 · 7
        ("odd text text text", 4),  # 15 − 3 · 7 is less than the 0 of no end
    ],
)
def test_end_row(rows, row):
    assert end_row(torch.tensor([TAIL[name] for name in rows.split()])) == row


def places_of(learnt, scores, words):
    """Scores of some phrases at every place; all others fit nowhere."""
    table = torch.full((len(learnt.table.phrases), len(words)), -torch.inf)
    for phrase, some in scores.items():
        table[phrase] = torch.tensor(some, dtype=torch.float32)
    return Places(words, table)


def picked(learnt, places, wanted, threshold):
    encoder = learnt.dictionary.family.encoders[-1]
    return [
        (one.phrase, one.rows, one.score) for one in pick_phrases(learnt.dictionary, encoder, places, wanted, threshold)
    ]


def test_the_best_place_goes_first_and_takes_its_rows(learnt):
    # phrases of two words each: 5 at place 1 covers rows 11 12, so the 4 of the other at place 2 is struck out
    one, other = slot(learnt, "hair: red"), slot(learnt, "eyes: blue")
    places = places_of(learnt, {one: [1, 5, 1, 0, 2], other: [0, 3, 4, 3, 0]}, [10, 11, 12, 13, 14])
    assert picked(learnt, places, None, 2.5) == [(one, (11, 12), 5.0), (other, (13, 14), 3.0)]
    assert picked(learnt, places, None, 4.5) == [(one, (11, 12), 5.0)]
    # asked for by name: each as often as wanted
    assert picked(learnt, places, [other], 2.5) == [(other, (12, 13), 4.0)]
    assert picked(learnt, places, [other], 4.5) == []  # another text than the leading encoder's
    assert picked(learnt, places, [], 0.0) == []


def test_a_phrase_cut_by_a_chunk_border_is_taken_at_any_score_if_asked_for(learnt):
    # rows 46 and 49: 47 and 48 are the end and the start of two chunks
    one = slot(learnt, "hair: red")
    places = places_of(learnt, {one: [-7, -9, -8, -torch.inf]}, [45, 46, 49, 50])
    assert picked(learnt, places, [one], 0.0) == [(one, (46, 49), -9.0)]
    assert picked(learnt, places, None, 0.0) == []


def test_a_phrase_stands_on_rows_that_follow_one_another(learnt):
    """Across a chunk border, but not across the end of the text, and behind that only where the rows are no pads."""
    causal, other = learnt.dictionary.family.encoders
    behind = Text(3, [1, 2, 4, 5, 6], torch.tensor([-1.0, -1.0, -2.0, 1.0, 3.0]))  # the end is row 3
    fits = _fits(other, range(96), behind, torch.tensor([1, 2, 0]))
    # rows 1 2 and 4 5 follow one another, 2 4 do not; alone, rows 5 and 6 look like pads, and so do both together
    assert fits.tolist() == [[True, True, True, False, False], [True, False, True, False, False], [False] * 5]
    border = Text(60, [45, 46, 49, 50], -torch.ones(4))  # rows 47 and 48 are the end and the start of two chunks
    assert _fits(causal, range(96), border, torch.tensor([4])).tolist() == [[True, False, False, False]]


def test_no_words_no_places(learnt):
    assert picked(learnt, places_of(learnt, {}, []), None, 0.0) == []


def test_context_of_a_look_is_what_other_categories_say(learnt):
    # "hair: red" in rows 2 3 of words 1 … 5: behind it a causal phrase of another category has it for context
    red, black = (learnt.table.index(one) for one in ("hair: red", "hair: black"))
    phrase, hair = slot(learnt, "eyes: blue"), slot(learnt, "hair: black")
    known = [Found(slot(learnt, "hair: red"), (2, 3), 1.0)]
    causal, both = (
        _contexts(learnt.dictionary, encoder, range(48), [1, 2, 3, 4, 5], known)
        for encoder in learnt.dictionary.family.encoders
    )
    assert causal[phrase, :, red].tolist() == [0, 0, 0, 1, 1] and both[phrase, :, red].tolist() == [1] * 5
    assert not causal[hair].any() and not both[hair].any() and not both[:, :, black].any()
