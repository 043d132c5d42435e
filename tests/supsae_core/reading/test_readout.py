"""Reading a conditioning: which phrases it says and where, from its rows alone."""

import numpy as np
import pytest
import torch

from supsae.portraits import captions
from supsae.portraits.text import bidirectional_row, causal_chunks
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.encoders.placing import rows_of
from supsae.supsae_core.reading import weights
from supsae.supsae_core.reading.coded import CodedRows
from supsae.supsae_core.reading.looks import Look, look
from supsae.supsae_core.reading.places import Places, pick_phrases, score_places
from supsae.supsae_core.reading.readout import describe_reading, read_conditioning
from supsae.supsae_core.reading.scene import Scene, fits_of
from supsae.supsae_core.reading.text_end import Text, end_row
from supsae.supsae_core.table import prompts
from supsae.training.calibration import known_reading, locate_accuracy, read

RED, CROWN, EYES = "hair: red", "hat: crown", "eyes: blue"
LONG_OPENER = (
    "a drawing of someone with highly detailed, soft light, flat colours, in the centre, looking at the viewer, cute, "
    "best quality, clean lines, as a sticker, simple shapes, highly detailed, soft light, cute"
)


def drawn(learnt, count, seed):
    rng = np.random.default_rng(seed)
    return [learnt.encoded(prompts.draw_prompt(learnt.table, rng, wording=captions.WORDING)) for _ in range(count)]


def test_fresh_prompts_are_located(learnt):
    # (concept, exact span) or unmentioned, for each of 8 categories of 60 prompts drawn by another seed than the fit's
    assert locate_accuracy(learnt.dictionary, [read(learnt.dictionary, row) for row in drawn(learnt, 60, 1000)]) >= 0.98


def test_every_encoder_finds_its_rows(learnt):
    right = []
    for row in drawn(learnt, 40, 5):
        seen, truth = read_conditioning(learnt.dictionary, row.cond), known_reading(learnt.dictionary, row)
        assert seen.rows == truth.rows and seen.layouts.keys() == truth.layouts.keys()
        for encoder in learnt.dictionary.family.encoders:
            layout = seen.layouts[encoder.name]
            taken = [row for span in layout.spans for row in span.rows] + [row for some in layout.roles for row in some]
            assert sorted(taken) == list(seen.rows.of(encoder))  # found or not, every row has one place
            right.append(layout == truth.layouts[encoder.name])
    assert sum(right) >= 0.95 * len(right)  # whole layouts: spans of both encoders, ends, pads and fillers


READ = {
    "nothing": ((), "none of the dictionary's concepts"),
    "openers alone": (("a portrait of a person with",), "none of the dictionary's concepts"),
    "fillers alone": (("highly detailed, soft light",), "none of the dictionary's concepts"),
    "two concepts": (("picture of a character with", RED, "and", CROWN), "hair: red, hat: crown"),
    "one concept twice": (("a drawing of", RED, "and", CROWN, "and", RED), "hair: red, hat: crown, hair: red"),
}


@pytest.mark.parametrize(("parts", "sentence"), READ.values(), ids=READ)
def test_reading_is_a_sentence_of_what_is_said_in_its_rows(learnt, said, parts, sentence):
    row = learnt.encoded(said(*parts))
    reading = read_conditioning(learnt.dictionary, row.cond)
    spans = known_reading(learnt.dictionary, row).layouts[reading.lead].spans
    assert describe_reading(learnt.dictionary, reading) == sentence
    assert [one[:2] for one in reading.found] == [one[:2] for one in spans]
    assert reading.concepts(learnt.dictionary) == tuple(learnt.table.phrases[one.phrase].concept for one in spans)


@pytest.mark.parametrize(
    ("words", "concept"), [("twin tails", "haircut: pigtails"), ("cheerful grin", "expression: smile")]
)
def test_other_words_for_a_concept_are_one_mention(learnt, words, concept):
    # Neither word is the table's, whose phrases for both are one token; each word alone is held for one of them.
    (cond,), _ = learnt.host.encode([f"a portrait of a person with {words} and top hat"])
    reading = read_conditioning(learnt.dictionary, cond)
    assert describe_reading(learnt.dictionary, reading) == f"{concept}, hat: top hat"
    assert len(reading.found[0].rows) == 2


def test_rows_beyond_a_phrase_say_its_last_token(learnt):
    # Other words may take more rows than any phrase of the table has tokens; here two more than the longest.
    row = drawn(learnt, 1, 0)[0]
    encoder = learnt.dictionary.family.encoder("clip")
    part = learnt.dictionary.parts["clip"]
    here = CodedRows(learnt.dictionary, encoder, rows_of(row.cond, learnt.dictionary.family), part)
    rows = range(1, part.slot_codes.shape[1] + 3)
    made = here.codes(0, rows, torch.zeros(len(row.cond), len(learnt.table)))
    last = int(part.slot_tokens[0]) - 1
    assert len(made) == len(rows) and all(torch.equal(one, made[last]) for one in made[last:])


def test_a_phrase_across_a_chunk_border_is_found_on_both_sides(learnt, said):
    # 45 tokens before it: the causal encoder has its first word in row 46 and its second in row 49
    row = learnt.encoded(said(LONG_OPENER, RED, "and", CROWN))
    reading = read_conditioning(learnt.dictionary, row.cond)
    assert reading.concepts(learnt.dictionary) == row.entry.prompt.support(learnt.table)
    assert reading.layouts["clip"].spans == known_reading(learnt.dictionary, row).layouts["clip"].spans
    assert reading.layouts["clip"].spans[0].rows == (46, 49)


def test_causal_rows_alone_are_read(learnt, said):
    row = learnt.encoded(said("a drawing of someone with", RED, "and", CROWN))
    reading = read_conditioning(learnt.dictionary, row.cond[:48])
    assert list(reading.layouts) == ["clip"]
    assert reading.concepts(learnt.dictionary) == row.entry.prompt.support(learnt.table)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_does_not_matter_and_nothing_is_written(learnt, dtype):
    for row in drawn(learnt, 10, 8):
        cond, before = row.cond.to(dtype), row.cond.to(dtype)
        layouts = read_conditioning(learnt.dictionary, cond).layouts
        assert layouts == read_conditioning(learnt.dictionary, row.cond).layouts and torch.equal(cond, before)


def test_another_encoder_is_refused(learnt, said):
    cond = learnt.encoded(said(RED)).cond
    cond[:48] *= 1.2
    with pytest.raises(ValueError, match="not of the text encoder 'clip'.*differs by [0-9]+%, 5% is the"):
        read_conditioning(learnt.dictionary, cond)


@pytest.mark.parametrize("length", [24, 96])
def test_another_length_policy_is_refused(learnt, length):
    # "a drawing of someone with red hair" is 7 tokens, so the end is the 8th row of the bidirectional encoder
    encoders = learnt.host._encoders
    ids = encoders.tokenizer.ids("a drawing of someone with red hair")
    cond = encoders.encode_ids([causal_chunks(ids)], [bidirectional_row(ids, length)]).cond[0]
    message = f"has {length} rows of 't5', the last {length - 8} of them pads; .* padded to 48"
    with pytest.raises(ValueError, match=message):
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


def test_a_phrase_stands_on_rows_that_follow_one_another(learnt):
    """Across a chunk border, but not across the end of the text, and behind that only where the rows are no pads."""
    causal, other = learnt.dictionary.family.encoders
    behind = Text(3, [1, 2, 4, 5, 6], torch.tensor([-1.0, -1.0, -2.0, 1.0, 3.0]))  # the end is row 3
    # rows 1 2 and 4 5 follow one another, 2 4 do not; alone, rows 5 and 6 look like pads, and so do both together
    fits = fits_of(other, range(96), behind, torch.tensor([1, 2, 0]))
    assert fits.tolist() == [[True, True, True, False, False], [True, False, True, False, False], [False] * 5]
    border = Text(60, [45, 46, 49, 50], -torch.ones(4))  # rows 47 and 48 are the end and the start of two chunks
    assert fits_of(causal, range(96), border, torch.tensor([4])).tolist() == [[True, False, False, False]]


def test_phrases_that_cannot_reach_a_cut_need_no_second_look(learnt):
    """What is picked above the cut is the same, and most phrases were looked at once."""
    dictionary = learnt.dictionary
    for row in drawn(learnt, 12, 21):
        rows = rows_of(row.cond, dictionary.family)
        for encoder in dictionary.family.encoders:
            scene, cuts = Scene(dictionary, encoder, row.cond, rows), dictionary.parts[encoder.name].cuts
            how = Look(cuts.first, 0.1, 0.5)
            every, some = look(scene, how), look(scene, how, least=cuts.last)
            one, other = (pick_phrases(scene, places, None, cuts.last, cuts.again) for places in (every, some))
            assert [found[:2] for found in one] == [found[:2] for found in other]
            seen = torch.isfinite(some.table)
            # A product of few rows may be summed in another order than one of many: on AMD's CPUs it is.
            torch.testing.assert_close(every.table[seen], some.table[seen])
            assert (every.table[~seen] < cuts.last).all() and seen.any(1).sum() < torch.isfinite(every.table).any(
                1
            ).sum()


WORDS, BEST = [10, 11, 12, 13, 14], {RED: [1, 5, 1, 0, 2], EYES: [0, 3, 4, 3, 0]}
"""Two phrases of two words each: the 5 at place 1 covers rows 11 12, so the 4 of the other at place 2 is struck out."""
BORDER, CUT = [45, 46, 49, 50], {RED: [-7, -9, -8, -torch.inf]}
"""Rows 47 and 48 are the end and the start of two chunks."""
PICKED = {
    "the best goes first": (WORDS, BEST, None, 2.5, [(RED, (11, 12), 5.0), (EYES, (13, 14), 3.0)]),
    "above a threshold": (WORDS, BEST, None, 4.5, [(RED, (11, 12), 5.0)]),
    "asked for by name": (WORDS, BEST, [EYES], 2.5, [(EYES, (12, 13), 4.0)]),
    "another text than the leading encoder's": (WORDS, BEST, [EYES], 4.5, []),
    "asked for nothing": (WORDS, BEST, [], 0.0, []),
    "no words": ([], {}, None, 0.0, []),
    "cut by a chunk border, at any score if asked for": (BORDER, CUT, [RED], 0.0, [(RED, (46, 49), -9.0)]),
    "cut, and not asked for": (BORDER, CUT, None, 0.0, []),
}


@pytest.mark.parametrize(("words", "scores", "wanted", "threshold", "found"), PICKED.values(), ids=PICKED)
def test_phrases_take_the_rows_where_they_fit_best(learnt, words, scores, wanted, threshold, found):
    numbers = {name: learnt.dictionary.phrase(learnt.table.index(name)) for name in (RED, EYES)}
    table = torch.full((len(learnt.table.phrases), len(words)), -torch.inf)
    for name, some in scores.items():
        table[numbers[name]] = torch.tensor(some, dtype=torch.float32)
    asked = None if wanted is None else [numbers[name] for name in wanted]
    scene = Scene(learnt.dictionary, learnt.dictionary.family.encoders[-1], torch.zeros(0), Rows({}, 0))
    made = pick_phrases(scene, Places(words, table, table), asked, threshold)
    assert [(one.phrase, one.rows, one.score) for one in made] == [(numbers[name], *rest) for name, *rest in found]


def test_scores_are_those_of_every_token_held_against_its_row(learnt):
    # One place after another, as docs/method.md, 10, says it; the code lays all tokens at once.
    dictionary, row = learnt.dictionary, next(iter(learnt.capture.read("calibration")))
    typed = rows_of(row.cond, dictionary.family)
    for encoder in dictionary.family.encoders:
        scene, tokens = Scene(dictionary, encoder, row.cond, typed), dictionary.looks[encoder.name][0]
        seen, table, r = scene.at_first, score_places(scene).table, tokens.codes.shape[-1]
        for phrase, place in (scene.fits.nonzero()[::17]).tolist():
            held = range(int(scene.lengths[phrase]))
            u = seen.rows[[place + token for token in held]]
            t = tokens.codes[phrase, : len(held)] - seen.empty[seen.kinds[[place + token for token in held]]]
            v = torch.ones(())
            if dictionary.family.weighted:
                v = weights.inverse_weight(u.square().sum(), (u * t).sum(), torch.tensor(len(held) * r))
            off = v**2 * u.square().sum(1) - 2 * v * (u * t).sum(1) + t.square().sum(1) - 2 * r * v.log()
            wanted = float((seen.anything[[place + token for token in held]] - off).sum() / 2 / r)
            assert float(table[phrase, place]) == pytest.approx(wanted, rel=1e-5, abs=1e-5)
