"""What a conditioning says in full: mentions with rows and weights, what is left open, and what nothing explains."""

import json

import pytest
import torch

from supsae.supsae_core.reading import prompt_report, readout
from supsae.supsae_core.reading.prompt_report import (
    PromptReport,
    Said,
    Unexplained,
    left,
    lines,
    report_prompt,
    to_json,
)

TEXT = "a portrait of a person with red hair, green eyes and red hair"


@pytest.fixture(scope="module")
def cond(learnt):
    return learnt.host.encode([TEXT])[0][0].clone()


@pytest.fixture(scope="module")
def found(learnt, cond):
    return report_prompt(learnt.dictionary, cond)


def test_every_mention_has_its_own_rows_in_every_encoder(learnt, found):
    # "a portrait of a person with" are 6 words, then red hair , green eyes and red hair; the causal encoder's first row
    # is its start, the other's rows begin behind 48
    red, green = ("hair: red", "red hair"), ("eyes: green", "green eyes")
    assert [(one.concept, one.phrase) for one in found.said] == [red, green, red]
    assert [one.rows["clip"] for one in found.said] == [(7, 8), (10, 11), (13, 14)]
    assert [one.rows["t5"] for one in found.said] == [(54, 55), (57, 58), (60, 61)]
    assert found.unmentioned == tuple(name for name in learnt.table.categories if name not in ("hair", "eyes"))


def test_a_weight_is_told_where_it_stands(learnt, weighted):
    heavy, plain = (report_prompt(learnt.dictionary, weighted("hair: red", weight).cond) for weight in (1.3, 1.0))
    assert [one.weight for one in heavy.said] == [pytest.approx(1.3, abs=0.06), 1, 1]
    assert ["weight" in line for line in lines(heavy)[:3]] == [True, False, False]
    assert "weight" not in "".join(lines(plain))


def test_what_is_decoded_is_explained(learnt, cond):
    # rows that are exactly what is said leave nothing over; as far again from the mean, 1 / 2² of the variation
    dictionary, reading = learnt.dictionary, readout.read_conditioning(learnt.dictionary, cond)
    exact, double = torch.zeros_like(cond), torch.zeros_like(cond)
    for encoder in dictionary.family.encoders:
        part, own = dictionary.parts[encoder.name], list(reading.rows.of(encoder))
        codes = prompt_report._codes(dictionary, encoder, reading.rows, reading.layouts[encoder.name])[own]
        columns = slice(encoder.first, encoder.last)
        exact[own, columns] = part.decode(codes)
        double[own, columns] = 2 * part.decode(codes) - part.bias
    for rows, share in ((exact, 0.0), (double, 0.25)):
        for some in report_prompt(dictionary, rows, reading).unexplained.values():
            assert some == pytest.approx((share, share), abs=1e-6)


def test_json_holds_names_and_rows_alone(learnt, found):
    data = json.loads(json.dumps(to_json(found)))
    assert list(data) == ["concepts", "unmentioned", "unexplained", "least_score", "longer"]
    assert data["concepts"][1]["concept"] == "eyes: green" and data["concepts"][1]["rows"]["t5"] == [57, 58]
    assert set(data["concepts"][0]) == {"concept", "phrase", "score", "weight", "rows"}
    assert set(data["unexplained"]) == {"clip", "t5"} and set(data["unexplained"]["t5"]) == {"phrases", "rows"}
    assert all(one["score"] >= data["least_score"] for one in data["concepts"])
    assert data["longer"] == {}


def test_a_longer_text_is_read_to_its_last_row_and_called_so(learnt):
    # six times eleven words and their commas are more than 48 rows of t5, which then has as many as tokens and an end
    (cond,), _ = learnt.host.encode([", ".join(["a drawing of someone with red hair, in a quiet garden"] * 6)])
    reading = readout.read_conditioning(learnt.dictionary, cond)
    rows = len(reading.rows.own["t5"])
    some = report_prompt(learnt.dictionary, cond, reading)
    assert rows > 48 and reading.layouts["t5"].roles.end == (len(cond) - 1,) and not reading.layouts["t5"].roles.pad
    assert some.longer == {"t5": (rows, 48)} and {one.concept for one in some.said} == {"hair: red"}
    assert left(some)[-2].startswith(f"longer than most: t5 has {rows} rows, prompts are padded to 48")


def test_nothing_said(learnt):
    some = report_prompt(learnt.dictionary, learnt.host.encode([""])[0][0])
    assert some.said == () and some.unmentioned == tuple(learnt.table.categories)
    assert all(one.phrases is None for one in some.unexplained.values())
    assert lines(some)[0] == "none of the dictionary's concepts"
    assert to_json(some)["unexplained"]["t5"]["phrases"] is None


def test_lines():
    said = Said("hair: red", "red hair", 1.234, {"clip": (46, 49, 50), "t5": (9,)}, 1.3)
    some = PromptReport((said,), ("hat", "eyes"), {"t5": Unexplained(None, 0.256)}, 0.5)
    assert lines(some) == ["hair: red  red hair  1.2  weight 1.30  clip 46, 49-50, t5 9", *left(some)]
    assert left(some) == ["not mentioned: hat, eyes", "not explained: t5 all rows 26%"]
