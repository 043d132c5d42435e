"""Slots: the rows of a phrase hold the tokens that spell it, in both encoders, whatever stands around it."""

import pytest
import torch

from supsae.portraits.text import END, END_CAUSAL, PAD, START, bidirectional_row, causal_chunks, load_encoders
from supsae.supsae_core.encoders.base import Encoder, Rows
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.encoders.placing import context_of, layout_of, pooled_spans, rows_of
from supsae.supsae_core.table.parsing import parse_table
from supsae.supsae_core.table.prompts import Mention, Prompt

assert FAMILIES, "the table of families is empty"
PORTRAITS = FAMILIES["portraits"]
TOKENIZER = load_encoders().tokenizer


# Every phrase, with the words around it, is awkward in its own way.
AWKWARD = {
    "comma": ("red hair", "a cat, {}, and a dog"),
    "no comma": ("red hair", "{}"),
    "full stop": ("smiling", "she is {}."),
    "several marks": ("smiling", "is she {}?!"),
    "hyphen": ("dark-blue coat", "in a {}, at night"),
    "capital": ("Red Hair", "A Cat With {}, Sir"),
    "unknown word": ("zyxgy quorx", "the {} of it"),
    "digits": ("10 cats", "exactly {} here"),
    "apostrophe": ("a sailor's hat", "wears {}, always"),
    "inner comma": ("long, flowing locks", "with {}, yes"),
    "foreign letters": ("Ärmel", "kurze {}, bitte"),
    "chunk border": ("red hair", "with " * 45 + "{}, and more"),
    "behind the border": ("red hair", "with " * 46 + "{}, and more"),
    "third chunk": ("red hair", "with " * 100 + "{}"),
    "fills a chunk": ("red hair", "with " * 44 + "{}"),
}


def rows_at(causal, total):
    return Rows({"clip": range(causal), "t5": range(causal, total)}, total)


def awkward(name):
    """The prompt of an awkward phrase, its table, its tokens, its row types and its layout."""
    phrase, frame = AWKWARD[name]
    table = parse_table(f'{{"a": {{"x": "{phrase}", "y": "some thing else"}}}}')
    before, behind = (part.split(" ") for part in frame.split("{}"))
    words = " ".join([*before[:-1], before[-1] + phrase + behind[0], *behind[1:]]).split()
    first = len(" ".join(before).split())
    prompt = Prompt(tuple(words), (Mention(0, first, first + len(phrase.split())),))
    counts = {one.name: [len(TOKENIZER.ids(word)) for word in words] for one in PORTRAITS.encoders}
    ids = TOKENIZER.ids(prompt.text)
    laid = {"clip": [i for chunk in causal_chunks(ids) for i in chunk], "t5": bidirectional_row(ids)}
    rows = rows_at(len(laid["clip"]), len(laid["clip"]) + len(laid["t5"]))
    laid["t5"] = [-1] * len(laid["clip"]) + laid["t5"]
    return phrase, laid, rows, layout_of(PORTRAITS, table, prompt, counts, rows)


@pytest.mark.parametrize("encoder", [one.name for one in PORTRAITS.encoders])
@pytest.mark.parametrize("name", AWKWARD)
def test_rows_of_a_phrase_spell_it(name, encoder):
    phrase, laid, _, layouts = awkward(name)
    assert [laid[encoder][row] for row in layouts[encoder].spans[0].rows] == TOKENIZER.ids(phrase)


@pytest.mark.parametrize("encoder", PORTRAITS.encoders, ids=lambda one: one.name)
@pytest.mark.parametrize("name", AWKWARD)
def test_every_row_has_one_place(name, encoder):
    _, laid, rows, layouts = awkward(name)
    layout = layouts[encoder.name]
    taken = [row for span in layout.spans for row in span.rows] + [row for some in layout.roles for row in some]
    assert sorted(taken) == list(rows.of(encoder))
    ids = laid[encoder.name]
    assert all(ids[row] == START for row in layout.roles.start)
    assert all(ids[row] == (END_CAUSAL if encoder.name == "clip" else END) for row in layout.roles.end)
    assert all(ids[row] == (END_CAUSAL if encoder.name == "clip" else PAD) for row in layout.roles.pad)
    assert not {START, END, END_CAUSAL, PAD} & {ids[row] for row in layout.roles.other}
    assert len(layout.roles.end) == (len(rows.own["clip"]) // 48 if encoder.name == "clip" else 1)


def test_a_phrase_on_a_chunk_border_keeps_both_sides():
    # 45 words fill rows 1 … 45; "red" takes row 46, the end row 47, the start row 48, and "hair" row 49
    layouts = awkward("chunk border")[-1]
    assert layouts["clip"].spans[0].rows == (46, 49)
    assert layouts["clip"].roles.end == (47, 56)  # , and m o r e → rows 50 … 55
    assert layouts["t5"].spans[0].rows == (96 + 45, 96 + 46)


def test_an_empty_prompt_is_start_end_and_pads():
    rows = rows_at(48, 96)
    layouts = layout_of(PORTRAITS, parse_table("a: [x, y]"), Prompt((), ()), {"clip": [], "t5": []}, rows)
    assert layouts["clip"] == Layout((), Roles((0,), (1,), tuple(range(2, 48)), ()))
    assert layouts["t5"] == Layout((), Roles((), (48,), tuple(range(49, 96)), ()))


def test_role_names():
    assert PORTRAITS.roles == ("start", "end", "pad", "other")


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_rows_are_typed_by_content(chunks):
    cond = torch.ones(chunks * 48 + 5, 192)
    cond[: chunks * 48, 128:] = 0
    assert rows_of(cond, PORTRAITS) == rows_at(chunks * 48, chunks * 48 + 5)


def test_causal_rows_alone():
    cond = torch.ones(48, 192)
    cond[:, 128:] = 0
    rows = rows_of(cond, PORTRAITS)
    assert rows == Rows({"clip": range(48), "t5": range(0)}, 48) and len(rows.of(PORTRAITS.encoders[1])) == 0


def sd3_rows(name):
    """Rows of SD3's width as hosts make them: CLIP-L's columns 1, CLIP-G's 2, T5's rows 3."""
    clip, t5 = torch.zeros(77, 4096), torch.full((77, 4096), 3.0)
    clip[:, :768], clip[:, 768:2048] = 1, 2
    without_l, without_g = clip.clone(), clip.clone()
    without_l[:, :768], without_g[:, 768:2048] = 0, 0
    return {
        "both": (clip, t5),
        "three chunks": (clip, clip, clip, t5, t5),
        "no CLIP-L": (without_l, t5),
        "no CLIP-G": (without_g, t5),
        "no T5": (clip,),
        "CLIP-G alone": (without_l,),
        "T5 alone": (t5,),
        "no text for T5": (clip, t5[:1]),
        "zeros for T5": (clip, 0 * t5),
    }[name]


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("both", (range(77), range(77), range(77, 154))),
        ("three chunks", (range(231), range(231), range(231, 385))),
        ("no CLIP-L", (range(0), range(77), range(77, 154))),
        ("no CLIP-G", (range(77), range(0), range(77, 154))),
        ("no T5", (range(77), range(77), range(77, 77))),
        ("CLIP-G alone", (range(0), range(77), range(77, 77))),
        ("T5 alone", (range(0), range(0), range(77))),
        ("no text for T5", (range(77), range(77), range(0))),
        ("zeros for T5", (range(77), range(77), range(0))),
    ],
)
def test_encoders_that_say_nothing_are_told(name, ranges):
    found = rows_of(torch.cat(sd3_rows(name)), FAMILIES["sd3"])
    assert tuple(found.own.values()) == ranges and found.total == len(torch.cat(sd3_rows(name)))


def test_no_text_at_all():
    with pytest.raises(ValueError, match="made of no text at all"):
        rows_of(torch.ones(1, 4096), FAMILIES["sd3"])


def test_a_format_that_cuts_has_one_chunk():
    (clip, t5), cut = sd3_rows("both"), FAMILIES["sd3-diffusers"]
    assert rows_of(torch.cat([clip, t5]), cut).own["t5xxl"] == range(77, 154)  # of what length T5 is, reading asks
    with pytest.raises(ValueError, match="not one chunk of 77 causal rows"):
        rows_of(torch.cat([clip, clip, t5]), cut)


@pytest.mark.parametrize(
    ("clip", "t5", "refused"), [(75, 255, ""), (76, 20, "'clip_l'.* 75"), (20, 256, "'t5xxl'.* 255")]
)
def test_room_of_a_format_that_cuts(clip, t5, refused):
    # between start and end of 77 rows, before the end of 256
    tokens = {"clip_l": clip, "clip_g": clip, "t5xxl": t5}
    FAMILIES["sd3"].require_room(tokens, "…")
    if not refused:
        FAMILIES["sd3-diffusers"].require_room(tokens, "…")
        return
    with pytest.raises(ValueError, match=refused):
        FAMILIES["sd3-diffusers"].require_room(tokens, "…")


def test_marks_that_are_spelled_together_are_refused():
    # CLIP and T5 spell "?!" with one token: "smiling?!" has two, and two marks
    table, rows = parse_table('a: {x: smiling, y: "sad face"}'), rows_at(48, 96)
    prompt = Prompt(("smiling?!",), (Mention(0, 0, 1),))
    with pytest.raises(ValueError, match="'clip' spells the marks behind 'smiling\\?!' together"):
        layout_of(PORTRAITS, table, prompt, {"clip": [2], "t5": [2]}, rows)


def bad_rows(kind):
    cond = torch.ones(96, 192)
    cond[:48, 128:] = 0
    return {
        "other width": cond[:, :100],
        "a batch": cond[None],
        "zeros": torch.zeros(96, 192),
        "other rows first": cond.flip(0),
        "part of a chunk": cond[8:],
        "concatenated": torch.cat([cond, cond]),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("other width", r"shape \(96, 100\) is not of the family 'portraits', which has rows of width 192"),
        ("a batch", r"shape \(1, 96, 192\)"),
        ("zeros", "all zeros"),
        ("other rows first", "The 96 rows .* are not chunks of 48 causal rows"),
        ("part of a chunk", "The 88 rows .* are not chunks of 48"),
        ("concatenated", "The 192 rows .*concatenated or averaged"),
    ],
)
def test_rows_that_fit_no_layout(kind, message):
    with pytest.raises(ValueError, match=message):
        rows_of(bad_rows(kind), PORTRAITS)


# Two spans in chunks of 5 rows: concept 0 in rows 1 2, concept 1 in row 3, concept 0 again in row 7.
SPANS = (Span(0, (1, 2)), Span(1, (3,)), Span(0, (7,)))


def contexts(layout):
    table = parse_table("letter: [a, b]")
    found = context_of(table, Encoder("a", "a", layout, 0, 1), Rows({"a": range(10)}, 10), SPANS)
    return found.T.tolist()


def test_a_chunk_hears_what_stood_before_in_it():
    # row:       0  1  2  3  4 | 5  6  7  8  9   (the second mention of concept 0 is no context of itself)
    concept0 = [0, 0, 0, 1, 1, 0, 0, 0, 1, 1]
    concept1 = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert contexts(Chunked(5)) == [concept0, concept1]


def test_a_padded_text_hears_everything_but_itself():
    concept0 = [1, 0, 0, 1, 1, 1, 1, 0, 1, 1]
    concept1 = [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert contexts(Padded(10)) == [concept0, concept1]


def test_the_pooled_vector_knows_the_first_chunk():
    layouts = awkward("behind the border")[-1]
    rows = awkward("behind the border")[-2]
    assert pooled_spans(PORTRAITS, layouts, rows) == ()
    assert pooled_spans(PORTRAITS, *reversed(awkward("chunk border")[-2:]))[0].rows == (46, 49)
    assert (
        pooled_spans(PORTRAITS, {"t5": layouts["t5"]}, rows) == layouts["t5"].spans
    )  # no causal rows: nothing is left out
