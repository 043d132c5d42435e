"""Prompt weights: reading them off, finding weighted phrases, and editing them."""

import pytest
import torch

from supsae.portraits.text import bidirectional_row, causal_chunks
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.reading import weights
from supsae.supsae_core.reading.coded import CodedRows
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training.calibration import known_reading

WORDS = "a drawing of someone with {} and blue eyes with golden crown"
HAIR = slice(5, 7)
"""Words of the hair; every word is one token in both encoders."""


def encoded(learnt, hair, weight=1.0):
    """Encode a prompt in which the hair has a weight as in ComfyUI: x = e + w (z − e), e the empty prompt's row."""
    words = WORDS.format(hair).split()
    number = {phrase.text: index for index, phrase in enumerate(learnt.table.phrases)}
    places = ((hair, 5), ("blue eyes", 8), ("golden crown", 11))
    prompt = Prompt(tuple(words), tuple(Mention(number[text], at, at + 2) for text, at in places))
    row = learnt.encoded(prompt)
    ((empty,), _) = learnt.host._encoders.encode_ids([causal_chunks([])], [bidirectional_row([])])
    for first in (1, 48):  # behind the start row, and at the second encoder's first
        rows = slice(first + HAIR.start, first + HAIR.stop)
        row.cond[rows] = empty[rows] + weight * (row.cond[rows] - empty[rows])
    return row


@pytest.mark.parametrize("weight", [0.5, 0.8, 1.0, 1.2, 1.5, 1.9])
def test_a_weighted_phrase_is_found_and_its_weight_read_off(learnt, weight):
    row = encoded(learnt, "red hair", weight)
    reading, truth = read_conditioning(learnt.dictionary, row.cond), known_reading(learnt.dictionary, row)
    for name, layout in reading.layouts.items():
        assert [span.rows for span in layout.spans] == [span.rows for span in truth.layouts[name].spans]
        hair, *others = (span.weight for span in layout.spans)
        assert hair == (1 if weight == 1 else pytest.approx(weight, abs=0.06))
        assert others == [1, 1]


@pytest.mark.parametrize("weight", [0.7, 1.4])
def test_a_weighted_phrase_swaps_to_its_weighted_rewrite(learnt, weight):
    before, after = (encoded(learnt, hair, weight) for hair in ("red hair", "black hair"))
    made = apply(learnt.dictionary, before.cond, before.pooled, [Swap("hair: black")])
    hair = [1 + 5, 1 + 6, 48 + 5, 48 + 6]
    off, change = (one.cond[hair] - after.cond[hair] for one in (made, before))
    unaware = known_reading(learnt.dictionary, before)  # of plain words
    plain = apply(learnt.dictionary, before.cond, before.pooled, [Swap("hair: black")], unaware)
    # 0.10 of the change is left, as without a weight; with it ignored also (1 − w)² / w², 0.18 or 0.08 of it
    assert off.square().sum() < 0.13 * change.square().sum()
    assert off.square().sum() < 0.75 * (plain.cond[hair] - after.cond[hair]).square().sum()


def test_the_weight_of_a_phrase_is_nothing_to_other_rows(learnt):
    """Rows that only hear of the phrase are made of its unweighted token."""
    heavy, plain = encoded(learnt, "red hair", 1.4), encoded(learnt, "red hair")
    steps = [apply(learnt.dictionary, row.cond, row.pooled, [Swap("hair: black")]) for row in (heavy, plain)]
    one, other = (made.cond - row.cond for made, row in zip(steps, (heavy, plain), strict=True))
    hair = torch.zeros(96, dtype=torch.bool)
    hair[[1 + 5, 1 + 6, 48 + 5, 48 + 6]] = True
    torch.testing.assert_close(one[~hair], other[~hair], rtol=0, atol=1e-5)
    weight = steps[0].reading.layouts["t5"].spans[0].weight
    torch.testing.assert_close(one[hair], weight * other[hair], rtol=0, atol=1e-4)


def test_a_removed_weighted_phrase_becomes_plain_pads(learnt):
    # both become the pads of the prompt without the phrase: the weight is gone with it
    heavy, plain = encoded(learnt, "red hair", 1.5), encoded(learnt, "red hair")
    gone = [apply(learnt.dictionary, row.cond, row.pooled, [Remove("hair: red")]) for row in (heavy, plain)]
    hair = [48 + 5, 48 + 6]
    off = (gone[0].cond[hair] - gone[1].cond[hair]).square().sum()
    # 0.22 is left: what the dictionary does not explain of the words stays, and it was weighted too
    assert off < 0.3 * (heavy.cond[hair] - plain.cond[hair]).square().sum()
    assert sorted(gone[0].reading.concepts(learnt.dictionary)) == sorted(gone[1].reading.concepts(learnt.dictionary))


def test_what_is_added_has_no_weight(learnt):
    row = encoded(learnt, "red hair", 1.5)
    made = apply(learnt.dictionary, row.cond, row.pooled, [Add("expression: smile")])
    spans = read_conditioning(learnt.dictionary, made.cond).layouts["t5"].spans
    assert [span.weight for span in spans] == [pytest.approx(1.5, abs=0.06), 1, 1, pytest.approx(1, abs=0.15)]


def test_the_empty_prompt_is_an_end_and_pads(learnt):
    # behind the start row of a chunk, and at the first of the other rows, stands the end of the empty prompt
    causal, other = learnt.dictionary.family.encoders
    for encoder, places in ((causal, [1, 2, 5, 49, 50]), (other, [96, 97, 99])):
        own = range(96) if encoder is causal else range(96, 144)
        part, rows = learnt.dictionary.parts[encoder.name], Rows({encoder.name: own}, own.stop)
        codes = CodedRows(learnt.dictionary, encoder, rows, part).empty(places)
        same = [bool((code == codes[0]).all()) for code in codes]
        assert same == [place in (1, 49, 96) for place in places]


@pytest.mark.parametrize("weight", [0.5, 1.0, 1.7])
def test_profile_is_the_best_weights_likelihood(weight):
    """Against a fine grid of weights: 2 · −log p(u | w), for u = w (t + noise), is ‖u / w − t‖² + 2 n log w."""
    torch.manual_seed(0)
    t, n = 4 * torch.randn(12), 12
    u = weight * (t + torch.randn(12))
    grid = torch.linspace(*weights.WEIGHTS, 4001)
    wanted = ((u / grid[:, None] - t).square().sum(1) + 2 * n * grid.log()).min()
    found = weights.profile(u @ u, u @ t, t @ t, torch.tensor(n))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)
