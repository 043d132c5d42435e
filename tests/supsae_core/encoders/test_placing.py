"""Slots: the rows of a phrase hold the tokens that spell it, in both encoders, whatever stands around it."""

from contextlib import nullcontext

import pytest
import torch

from supsae.portraits.text import END, END_CAUSAL, PAD, START, bidirectional_row, causal_chunks, load_encoders
from supsae.supsae_core.encoders.base import Encoder, Rows
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.layout import Span
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


@pytest.mark.parametrize("encoder", PORTRAITS.encoders, ids=lambda one: one.name)
@pytest.mark.parametrize("name", AWKWARD)
def test_rows_of_a_phrase_spell_it_and_every_row_has_one_place(name, encoder):
    phrase, laid, rows, layouts = awkward(name)
    ids, causal = laid[encoder.name], encoder.name == "clip"
    spans, roles = layouts[encoder.name]
    assert [ids[row] for row in spans[0].rows] == TOKENIZER.ids(phrase)
    taken = [row for span in spans for row in span.rows] + [row for some in roles for row in some]
    assert sorted(taken) == list(rows.of(encoder))
    assert {ids[row] for row in roles.start} == ({START} if causal else set())
    assert {ids[row] for row in roles.end} == {END_CAUSAL if causal else END}
    assert {ids[row] for row in roles.pad} <= {END_CAUSAL if causal else PAD}
    assert not {START, END, END_CAUSAL, PAD} & {ids[row] for row in roles.other}
    assert len(roles.end) == (len(rows.own["clip"]) // 48 if causal else 1)


def test_a_phrase_on_a_chunk_border_keeps_both_sides():
    # 45 words fill rows 1 … 45; "red" takes row 46, the end row 47, the start row 48, and "hair" row 49
    layouts = awkward("chunk border")[-1]
    assert layouts["clip"].spans[0].rows == (46, 49)
    assert layouts["clip"].roles.end == (47, 53)  # , and more → rows 50 … 52
    assert layouts["t5"].spans[0].rows == (96 + 45, 96 + 46)


@pytest.mark.parametrize(("chunks", "t5"), [(0, 5), (1, 5), (3, 5), (1, 0)])
def test_rows_are_typed_by_content(chunks, t5):
    cond = torch.ones(chunks * 48 + t5, 192)
    cond[: chunks * 48, 128:] = 0
    assert rows_of(cond, PORTRAITS) == rows_at(chunks * 48, chunks * 48 + t5)


CLIP, T5 = torch.zeros(77, 4096), torch.full((77, 4096), 3.0)
CLIP[:, :768], CLIP[:, 768:2048] = 1, 2  # rows of SD3's width as hosts make them: CLIP-L's columns 1, CLIP-G's 2
WITHOUT_L, WITHOUT_G = CLIP.clone(), CLIP.clone()
WITHOUT_L[:, :768], WITHOUT_G[:, 768:2048] = 0, 0
SD3_ROWS = {
    "both": ((CLIP, T5), (range(77), range(77), range(77, 154))),
    "three chunks": ((CLIP, CLIP, CLIP, T5, T5), (range(231), range(231), range(231, 385))),
    "no CLIP-L": ((WITHOUT_L, T5), (range(0), range(77), range(77, 154))),
    "no CLIP-G": ((WITHOUT_G, T5), (range(77), range(0), range(77, 154))),
    "no T5": ((CLIP,), (range(77), range(77), range(77, 77))),
    "CLIP-G alone": ((WITHOUT_L,), (range(0), range(77), range(77, 77))),
    "T5 alone": ((T5,), (range(0), range(0), range(77))),
    "no text for T5": ((CLIP, T5[:1]), (range(77), range(77), range(0))),
    "zeros for T5": ((CLIP, 0 * T5), (range(77), range(77), range(0))),
}


@pytest.mark.parametrize(("parts", "ranges"), SD3_ROWS.values(), ids=SD3_ROWS)
def test_encoders_that_say_nothing_are_told(parts, ranges):
    found = rows_of(torch.cat(parts), FAMILIES["sd3"])
    assert tuple(found.own.values()) == ranges and found.total == len(torch.cat(parts))


def test_no_text_at_all():
    with pytest.raises(ValueError, match="made of no text at all"):
        rows_of(T5[:1], FAMILIES["sd3"])


def test_a_format_that_cuts_has_one_chunk():
    cut = FAMILIES["sd3-diffusers"]
    assert rows_of(torch.cat([CLIP, T5]), cut).own["t5xxl"] == range(77, 154)  # of what length T5 is, reading asks
    with pytest.raises(ValueError, match="not one chunk of 77 causal rows"):
        rows_of(torch.cat([CLIP, CLIP, T5]), cut)


@pytest.mark.parametrize(
    ("clip", "t5", "refused"), [(75, 255, None), (76, 20, "'clip_l'.* 75"), (20, 256, "'t5xxl'.* 255")]
)
def test_room_of_a_format_that_cuts(clip, t5, refused):
    # between start and end of 77 rows, before the end of 256
    tokens = {"clip_l": clip, "clip_g": clip, "t5xxl": t5}
    FAMILIES["sd3"].require_room(tokens, "…")
    with pytest.raises(ValueError, match=refused) if refused else nullcontext():
        FAMILIES["sd3-diffusers"].require_room(tokens, "…")


def test_marks_that_are_spelled_together_are_refused():
    # CLIP and T5 spell "?!" with one token: "smiling?!" has two, and two marks
    table, rows = parse_table('a: {x: smiling, y: "sad face"}'), rows_at(48, 96)
    prompt = Prompt(("smiling?!",), (Mention(0, 0, 1),))
    with pytest.raises(ValueError, match="'clip' spells the marks behind 'smiling\\?!' together"):
        layout_of(PORTRAITS, table, prompt, {"clip": [2], "t5": [2]}, rows)


COND = torch.ones(96, 192)
COND[:48, 128:] = 0
BAD_ROWS = {
    "other width": (COND[:, :100], r"shape \(96, 100\) is not of the family 'portraits', which has rows of width 192"),
    "a batch": (COND[None], r"shape \(1, 96, 192\)"),
    "zeros": (0 * COND, "all zeros"),
    "other rows first": (COND.flip(0), "The 96 rows .* are not chunks of 48 causal rows"),
    "part of a chunk": (COND[8:], "The 88 rows .* are not chunks of 48"),
    "concatenated": (torch.cat([COND, COND]), "The 192 rows .*concatenated or averaged"),
}


@pytest.mark.parametrize(("rows", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_rows_that_fit_no_layout(rows, message):
    with pytest.raises(ValueError, match=message):
        rows_of(rows, PORTRAITS)


# Two spans in chunks of 5 rows: concept 0 in rows 1 2, concept 1 in row 3, concept 0 again in row 7.
SPANS = (Span(0, (1, 2)), Span(1, (3,)), Span(0, (7,)))


CONTEXTS = {
    # row:       0  1  2  3  4 | 5  6  7  8  9   (a phrase is no context of itself)
    "chunks": (Chunked(5), [0, 0, 0, 1, 1, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),  # what stood before
    "padded": (Padded(10), [1, 0, 0, 1, 1, 1, 1, 0, 1, 1], [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]),  # everything else
}


@pytest.mark.parametrize(("layout", "first", "second"), CONTEXTS.values(), ids=CONTEXTS)
def test_a_row_hears_what_its_encoder_attends_to(layout, first, second):
    found = context_of(
        parse_table("letter: [a, b]"), Encoder("a", "a", layout, 0, 1), Rows({"a": range(10)}, 10), SPANS
    )
    assert found.T.tolist() == [first, second]


def test_the_pooled_vector_knows_the_first_chunk():
    (*_, inside, laid_inside), (*_, behind, laid_behind) = awkward("chunk border"), awkward("behind the border")
    assert pooled_spans(PORTRAITS, laid_inside, inside)[0].rows == (46, 49)
    assert pooled_spans(PORTRAITS, laid_behind, behind) == ()
    alone = {"t5": laid_behind["t5"]}  # no causal rows: nothing is left out
    assert pooled_spans(PORTRAITS, alone, behind) == alone["t5"].spans
