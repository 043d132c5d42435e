"""The frozen text encoders: laid out and behaving as SD3.5's do."""

import pytest
import torch

from supsae.hosts.embedded import PortraitsText
from supsae.portraits.text import (
    CAUSAL_WIDTH,
    CHUNK,
    END,
    END_CAUSAL,
    PAD,
    START,
    UNKNOWN,
    WIDTH,
    Tokenizer,
    bidirectional_row,
    causal_chunks,
    load_encoders,
)
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.padded import Padded

LONG = "with " * 50 + "red hair"


@pytest.fixture(scope="module")
def encoders():
    return load_encoders()


@pytest.fixture(scope="module")
def small():
    return Tokenizer(("a", "red", "hair"))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red", ["a ", "red "]),
        ("Red, HAIR.", ["red ", ",", "hair ", "."]),
        ("redhair", [*"redhair"]),  # unknown: letter by letter, the letter "a" apart from the word
        ("red-hair", ["red ", "-", "hair "]),
        ("a2a", ["a ", "2", "a "]),
        ("", []),
        ("é", ["<unknown>"]),
    ],
)
def test_words_and_letters(small, text, pieces):
    names = {index: name for name, index in small._ids.items()}
    assert [names[index] for index in small.ids(text)] == pieces


def test_a_text_is_spelled_word_by_word(encoders):
    tokenizer, text = encoders.tokenizer, "A portrait, of zyx's (red-hair): smiling; 3 hats!"
    assert tokenizer.ids(text) == [i for word in text.split() for i in tokenizer.ids(word)]
    assert UNKNOWN not in tokenizer.ids(text) and len(tokenizer) == max(tokenizer._ids.values()) + 1


@pytest.mark.parametrize(("words", "chunks"), [(0, 1), (46, 1), (47, 2), (93, 3)])
def test_causal_layout(words, chunks):
    made = causal_chunks(list(range(100, 100 + words)))
    assert len(made) == chunks and all(len(chunk) == CHUNK and chunk[0] == START for chunk in made)
    assert [i for chunk in made for i in chunk if i >= 100] == list(range(100, 100 + words))
    assert made[-1][-1] == END_CAUSAL and all(chunk.count(END_CAUSAL) >= 1 for chunk in made)


@pytest.mark.parametrize(("words", "length"), [(0, 48), (47, 48), (48, 49), (60, 61)])
def test_bidirectional_layout(words, length):
    made = bidirectional_row(list(range(100, 100 + words)))
    assert len(made) == length and made[words] == END and made[words + 1 :] == [PAD] * (length - words - 1)


@pytest.mark.parametrize("text", ["", "red hair", LONG])
def test_rows_as_in_sd3(encoders, text):
    cond, pooled = encoders.encode([text])
    chunks = -(-max(1, len(encoders.tokenizer.ids(text))) // (CHUNK - 2))
    rows = max(CHUNK, len(encoders.tokenizer.ids(text)) + 1)
    assert cond.shape == (1, chunks * CHUNK + rows, WIDTH) and pooled.shape == (1, CAUSAL_WIDTH)
    beside = cond[0, :, CAUSAL_WIDTH:]
    assert not beside[: chunks * CHUNK].any() and (beside[chunks * CHUNK :] != 0).any(1).all()


def test_the_format_table_describes_these_encoders():
    family = FAMILIES["portraits"]
    assert (family.width, family.width_of("clip"), family.pooled_width) == (WIDTH, CAUSAL_WIDTH, CAUSAL_WIDTH)
    assert [one.layout for one in family.encoders] == [Chunked(CHUNK), Padded(CHUNK)]


@pytest.mark.parametrize(
    ("text", "end"),
    [("a zyx, 1", 7), (LONG, CHUNK - 1)],  # the word, z y x, the comma and the digit are 6 tokens, behind the start
)
def test_pooled_is_the_last_layer_at_the_first_end(encoders, text, end):
    causal, (cond, pooled) = encoders.causal, encoders.encode([text])
    rows = cond[:, :CHUNK, :CAUSAL_WIDTH]
    last = causal.norm(causal.layers[-1](rows, None))  # rows stop one layer before it
    torch.testing.assert_close(pooled[0], last[0, end], atol=1e-5, rtol=1e-4)


def test_causal_rows_before_a_change_are_bit_equal(encoders):
    # "hair" is token 4, in row 4 + 1: everything before it is the same, it and all behind it move
    one, other = (encoders.encode([f"a picture with red {word}"]).cond[0, :CHUNK] for word in ("hair", "eyes"))
    assert torch.equal(one[:5], other[:5]) and (one[5:] != other[5:]).any(1).all()


def test_bidirectional_rows_all_move(encoders):
    one, other = (encoders.encode([f"a picture with red {word}"]).cond[0, CHUNK:] for word in ("hair", "eyes"))
    assert (one != other).any(1).all()  # pads too: they take part


def test_encoders_are_frozen_and_the_same_each_time(encoders):
    assert not any(parameter.requires_grad for parameter in encoders.parameters()) and not encoders.training
    assert torch.equal(encoders.encode(["red hair"]).cond, load_encoders().encode(["red hair"]).cond)


def test_the_host_lays_every_text_out_alone():
    host = PortraitsText()
    texts = ["red hair", LONG, ""]
    conds, pooled = host.encode(texts)
    for text, cond, vector in zip(texts, conds, pooled, strict=True):
        (alone,), (single,) = host.encode([text])
        torch.testing.assert_close(cond, alone)
        torch.testing.assert_close(vector, single)
    assert [len(cond) for cond in conds] == [96, 2 * 48 + 53, 96]
    assert host.counts(["red,", "zyx"]) == {"clip": (2, 3), "t5": (2, 3)}
